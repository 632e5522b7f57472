#include "kernel.h"

#define LIMIT 2000000
#define ROUNDS 60

static unsigned char composite[LIMIT];

uint64_t kernel(void) {
  uint64_t primes = 0;
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < LIMIT; i++) composite[i] = 0;
    for (int i = 2; i < LIMIT; i++) {
      if (composite[i]) continue;
      primes++;
      for (int64_t j = (int64_t)i * i; j < LIMIT; j += i) composite[j] = 1;
    }
  }
  return primes;
}
