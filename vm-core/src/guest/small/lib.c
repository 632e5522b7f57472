#include "lib.h"

void *memcpy(void *to, const void *from, size_t n) {
  uint8_t *d = to;
  const uint8_t *s = from;
  if (((uintptr_t)d & 7) == ((uintptr_t)s & 7)) {
    for (; n && ((uintptr_t)d & 7); n--) *d++ = *s++;
    for (; n >= 8; n -= 8, d += 8, s += 8) *(uint64_t *)d = *(const uint64_t *)s;
  }
  while (n--) *d++ = *s++;
  return to;
}

void *memmove(void *to, const void *from, size_t n) {
  uint8_t *d = to;
  const uint8_t *s = from;
  if (d <= s) {
    for (size_t i = 0; i < n; i++) d[i] = s[i];
  } else {
    while (n--) d[n] = s[n];
  }
  return to;
}

void *memset(void *to, int value, size_t n) {
  uint8_t *d = to;
  uint64_t word = (uint8_t)value * 0x0101010101010101ul;
  for (; n && ((uintptr_t)d & 7); n--) *d++ = (uint8_t)value;
  for (; n >= 8; n -= 8, d += 8) *(uint64_t *)d = word;
  while (n--) *d++ = (uint8_t)value;
  return to;
}

int memcmp(const void *a, const void *b, size_t n) {
  const uint8_t *x = a, *y = b;
  for (size_t i = 0; i < n; i++)
    if (x[i] != y[i]) return x[i] - y[i];
  return 0;
}

size_t strlen(const char *s) {
  size_t n = 0;
  while (s[n]) n++;
  return n;
}

struct sink {
  char *out;
  size_t length, capacity;
};

static void put(struct sink *sink, char c) {
  if (sink->length + 1 < sink->capacity) sink->out[sink->length++] = c;
}

static void put_number(struct sink *sink, uint64_t value, unsigned base, unsigned digits_min) {
  char digits[20];
  unsigned n = 0;
  do {
    digits[n++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value);
  while (n < digits_min) digits[n++] = '0';
  while (n) put(sink, digits[--n]);
}

size_t format_list(char *out, size_t capacity, const char *p, __builtin_va_list list) {
  struct sink sink = {out, 0, capacity};
  for (; *p; p++) {
    if (*p != '%') {
      put(&sink, *p);
      continue;
    }
    p++;
    unsigned digits_min = 1;
    if (p[0] == '0' && p[1] == '2') digits_min = 2, p += 2;
    bool is_long = *p == 'l';
    if (is_long) p++;
    switch (*p) {
      case 's':
        for (const char *s = __builtin_va_arg(list, const char *); *s; s++) put(&sink, *s);
        break;
      case 'c':
        put(&sink, (char)__builtin_va_arg(list, int));
        break;
      case 'u':
      case 'x': {
        uint64_t v = is_long ? __builtin_va_arg(list, unsigned long) : __builtin_va_arg(list, unsigned);
        put_number(&sink, v, *p == 'u' ? 10 : 16, digits_min);
        break;
      }
      default:
        put(&sink, *p);
        break;
    }
  }
  if (capacity) out[sink.length] = 0;
  return sink.length;
}

size_t format(char *out, size_t capacity, const char *pattern, ...) {
  __builtin_va_list list;
  __builtin_va_start(list, pattern);
  size_t n = format_list(out, capacity, pattern, list);
  __builtin_va_end(list);
  return n;
}

bool parse_u64(const char *text, size_t length, uint64_t *value) {
  uint64_t v = 0;
  if (length == 0) return false;
  for (size_t i = 0; i < length; i++) {
    unsigned digit = (unsigned)(text[i] - '0');
    if (digit > 9) return false;
    if (v > (~0ul - digit) / 10) return false;
    v = v * 10 + digit;
  }
  *value = v;
  return true;
}

uint32_t crc32(const void *data, size_t length) {
  static uint32_t table[256];
  if (!table[1])
    for (uint32_t i = 0; i < 256; i++) {
      uint32_t c = i;
      for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
      table[i] = c;
    }
  const uint8_t *p = data;
  uint32_t crc = ~0u;
  while (length--) crc = table[(uint8_t)crc ^ *p++] ^ crc >> 8;
  return ~crc;
}

uint64_t mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15ul;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ul;
  x = (x ^ x >> 27) * 0x94d049bb133111ebul;
  return x ^ x >> 31;
}
