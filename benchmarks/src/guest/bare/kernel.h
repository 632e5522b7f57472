/* A kernel is a function that computes for a while and returns a checksum. The same source runs on
   the bare board, where it prints to the UART, and natively. REPEAT says how often it computes that. */
#include <stdint.h>
#include <stddef.h>

__attribute__((noipa)) uint64_t kernel(void);

#ifndef REPEAT
#define REPEAT 1
#endif

static uint64_t repeated(void) {
  uint64_t sum = 0;
  for (int i = 0; i < REPEAT; i++) sum = kernel();
  return sum;
}

#ifdef NATIVE
#include <stdio.h>
int main(void) {
  printf("%016llx\n", (unsigned long long)repeated());
  return 0;
}
#else
void *memset(void *to, int value, size_t count) {
  unsigned char *p = to;
  while (count--) *p++ = (unsigned char)value;
  return to;
}

void *memcpy(void *to, const void *from, size_t count) {
  unsigned char *p = to;
  const unsigned char *q = from;
  while (count--) *p++ = *q++;
  return to;
}

int main(void) {
  volatile unsigned char *uart = (volatile unsigned char *)0x10000000;
  uint64_t sum = repeated();
  for (int i = 60; i >= 0; i -= 4) *uart = "0123456789abcdef"[sum >> i & 15];
  *uart = '\n';
  return 0;
}
#endif
