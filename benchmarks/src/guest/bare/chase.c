#include "kernel.h"

#define NODES (1 << 18)
#define STEPS 30000000

struct node {
  struct node *next;
  uint64_t value;
};
static struct node nodes[NODES];

/* A linked list through 4 MiB in scattered order. */
uint64_t kernel(void) {
  uint64_t at = 0;
  for (int i = 0; i < NODES; i++) {
    uint64_t to = (at * 5 + 12345) & (NODES - 1);
    nodes[at].next = &nodes[to];
    nodes[at].value = at ^ i;
    at = to;
  }
  uint64_t sum = 0;
  struct node *n = nodes;
  for (int i = 0; i < STEPS; i++) {
    sum += n->value;
    n = n->next;
  }
  return sum;
}
