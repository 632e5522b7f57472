#include "kernel.h"

#define BODIES 5
#define STEPS 300000

static double square_root(double x) {
  double r;
#ifdef __x86_64__
  __asm__("sqrtsd %1, %0" : "=x"(r) : "x"(x));
#elif defined __riscv
  __asm__("fsqrt.d %0, %1" : "=f"(r) : "f"(x));
#else
  r = __builtin_sqrt(x);
#endif
  return r;
}

struct body {
  double x, y, z, vx, vy, vz, mass;
};
static struct body bodies[BODIES] = {
    {0, 0, 0, 0, 0, 0, 39.5},          {4.8, -1.2, -0.1, 0.6, 2.8, -0.02, 0.04},
    {8.3, 4.1, -0.4, -1.0, 1.8, 0.01, 0.01}, {12.9, -15.1, -0.2, 1.1, 0.9, -0.01, 0.002},
    {15.4, -25.9, 0.2, 1.0, 0.6, -0.03, 0.002},
};

static void advance(double dt) {
  for (int i = 0; i < BODIES; i++) {
    struct body *a = &bodies[i];
    for (int j = i + 1; j < BODIES; j++) {
      struct body *b = &bodies[j];
      double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      double d2 = dx * dx + dy * dy + dz * dz;
      double m = dt / (d2 * square_root(d2));
      a->vx -= dx * b->mass * m;
      a->vy -= dy * b->mass * m;
      a->vz -= dz * b->mass * m;
      b->vx += dx * a->mass * m;
      b->vy += dy * a->mass * m;
      b->vz += dz * a->mass * m;
    }
  }
  for (int i = 0; i < BODIES; i++) {
    bodies[i].x += dt * bodies[i].vx;
    bodies[i].y += dt * bodies[i].vy;
    bodies[i].z += dt * bodies[i].vz;
  }
}

uint64_t kernel(void) {
  for (int i = 0; i < STEPS; i++) advance(0.001);
  union {
    double d;
    uint64_t u;
  } sum = {bodies[0].x + bodies[1].y + bodies[2].z};
  return sum.u;
}
