/* What a freestanding program lacks: memory functions, text formatting, byte order, CRC-32. */
#pragma once

#include "riscv.h"

/* Memory that the boot code does not clear. */
#define NOINIT __attribute__((section(".noinit")))

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

/* Knows %s, %c, %%, %u, %lu, %x, %lx and %02x. Always terminates; returns the length written, less than capacity. */
size_t format(char *out, size_t capacity, const char *pattern, ...) __attribute__((format(printf, 3, 4)));
size_t format_list(char *out, size_t capacity, const char *pattern, __builtin_va_list list);

/* Decimal, at least one digit, no overflow. */
bool parse_u64(const char *text, size_t length, uint64_t *value);

/* The CRC of zip and Ethernet. */
uint32_t crc32(const void *data, size_t length);

uint64_t mix64(uint64_t x);

static inline uint16_t be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t be32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void put_be16(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}
static inline void put_be32(uint8_t *p, uint32_t v) {
  put_be16(p, v >> 16);
  put_be16(p + 2, v);
}
static inline uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
