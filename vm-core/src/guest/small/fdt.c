#include "fdt.h"

#define MAGIC 0xd00dfeedu
#define SIZE_MAX_BYTES (1u << 20)
#define BEGIN_NODE 1
#define END_NODE 2
#define PROP 3
#define NOP 4
#define DEPTH_MAX 8

struct property {
  const char *node; /* name of the node it is in */
  unsigned depth;   /* 1: the root's */
  const char *name;
  const uint8_t *value;
  uint32_t length;
};

static bool text_in(const uint8_t *value, uint32_t length, const char *word) {
  size_t n = strlen(word);
  for (uint32_t i = 0; i + n <= length; i++) {
    bool ends = i + n == length || value[i + n] == 0 || value[i + n] == '_';
    bool begins = i == 0 || value[i - 1] == 0 || value[i - 1] == '_';
    if (begins && ends && memcmp(value + i, word, n) == 0) return true;
  }
  return false;
}

static bool starts(const char *text, const char *with) {
  return memcmp(text, with, strlen(with)) == 0;
}

static bool same(const char *a, const char *b) { return memcmp(a, b, strlen(b) + 1) == 0; }

static void take(const struct property *p, struct fdt_facts *facts) {
  if (same(p->name, "timebase-frequency") && p->length == 4 && be32(p->value)) {
    facts->timebase_hz = be32(p->value);
  } else if (starts(p->name, "riscv,isa") && starts(p->node, "cpu@")) {
    if (text_in(p->value, p->length, "sstc")) facts->sstc = true;
  } else if (p->depth == 2 && starts(p->node, "memory@") && same(p->name, "reg") && p->length >= 16) {
    facts->ram_base = (uint64_t)be32(p->value) << 32 | be32(p->value + 4);
    facts->ram_end = facts->ram_base + ((uint64_t)be32(p->value + 8) << 32 | be32(p->value + 12));
  } else if (p->depth == 2 && same(p->node, "chosen")) {
    if (same(p->name, "bootargs")) {
      size_t n = min_u64(p->length, sizeof facts->bootargs - 1);
      memcpy(facts->bootargs, p->value, n);
      facts->bootargs[n] = 0;
    } else if (same(p->name, "rng-seed")) {
      for (uint32_t i = 0; i < p->length; i++) facts->seed = mix64(facts->seed ^ p->value[i]);
    }
  }
}

void fdt_read(const uint8_t *tree, struct fdt_facts *facts) {
  *facts = (struct fdt_facts){.ram_base = 0x80000000, .ram_end = 0x88000000, .timebase_hz = 10000000};
  if (!tree || (uintptr_t)tree & 3 || be32(tree) != MAGIC) return;
  uint32_t total = be32(tree + 4), at = be32(tree + 8), strings = be32(tree + 12);
  if (total > SIZE_MAX_BYTES || at > total || strings > total) return;

  const char *names[DEPTH_MAX + 1] = {""};
  unsigned depth = 0;
  while (at + 4 <= total) {
    uint32_t token = be32(tree + at);
    at += 4;
    if (token == BEGIN_NODE) {
      const char *name = (const char *)tree + at;
      while (at < total && tree[at]) at++;
      at = (at + 4) & ~3u;
      depth++;
      if (depth <= DEPTH_MAX) names[depth] = name;
    } else if (token == END_NODE) {
      if (depth-- == 0) return;
    } else if (token == PROP) {
      if (at + 8 > total) return;
      uint32_t length = be32(tree + at), offset = be32(tree + at + 4);
      at += 8;
      if (length > total - at || offset > total - strings) return;
      if (depth <= DEPTH_MAX) {
        struct property p = {names[depth], depth, (const char *)tree + strings + offset, tree + at, length};
        take(&p, facts);
      }
      at = (at + length + 3) & ~3u;
    } else if (token != NOP) {
      return;
    }
  }
}
