#include "kernel.h"

/* SHA-256 compression over and over, and a table of hashed keys. */
static uint32_t k[64];
static uint64_t table[1 << 16];

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void compress(uint32_t h[8], const uint32_t block[16]) {
  uint32_t w[64];
  for (int i = 0; i < 16; i++) w[i] = block[i];
  for (int i = 16; i < 64; i++) {
    uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], x = h[7];
  for (int i = 0; i < 64; i++) {
    uint32_t s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    uint32_t t1 = x + s1 + ((e & f) ^ (~e & g)) + k[i] + w[i];
    uint32_t s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    x = g; g = f; f = e; e = d + t1; d = c; c = b; b = a; a = t1 + t2;
  }
  h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += x;
}

uint64_t kernel(void) {
  for (int i = 0; i < 64; i++) k[i] = (uint32_t)(i * 0x9e3779b9u ^ 0x428a2f98u);
  uint32_t h[8] = {1, 2, 3, 4, 5, 6, 7, 8}, block[16];
  for (int round = 0; round < 600000; round++) {
    for (int i = 0; i < 16; i++) block[i] = h[i & 7] + (uint32_t)round * i;
    compress(h, block);
    uint64_t key = (uint64_t)h[0] << 32 | h[1];
    for (int i = 0; i < 64; i++) {
      key = key * 6364136223846793005u + 1442695040888963407u;
      table[key >> 48] += key;
    }
  }
  uint64_t sum = h[7];
  for (int i = 0; i < 1 << 16; i++) sum = sum * 31 + table[i];
  return sum;
}
