#include "kernel.h"

static __attribute__((noinline)) uint64_t fibonacci(uint64_t n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static __attribute__((noinline)) uint64_t ackermann(uint64_t m, uint64_t n) {
  if (m == 0) return n + 1;
  return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

uint64_t kernel(void) {
  uint64_t sum = fibonacci(38);
  for (int i = 0; i < 60; i++) sum += ackermann(2, 900 + i);
  return sum;
}
