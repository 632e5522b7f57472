/* What the service remembers: keys with numbers, and a ledger per client. All of it is in RAM, in 4 KiB pages. */
#pragma once

#include "lib.h"

#define NAME_MAX 16
#define KEYS_MAX 1024
#define LEDGERS_MAX 256

/* Padded with zeros; all zeros: none. */
struct name {
  char text[NAME_MAX];
};

struct key_entry {
  struct name name;
  uint64_t value, reserved;
};

struct ledger {
  struct name client;
  uint64_t last, count, sum; /* sum: of all values, modulo 2^64 */
  uint64_t last_seq;         /* the write that recorded `last` */
  uint64_t reserved;
};

/* One durable change: what it leads to, not what was asked. 32 bytes on disk. */
#define CHANGE_KEY 1
#define CHANGE_LEDGER 2
struct change {
  struct name name;
  uint64_t value;
  uint32_t kind, reserved;
};

void store_init(void);
/* Physical memory of the tables, for paging_on. */
void *store_memory(size_t *pages);

const struct key_entry *store_key(const struct name *name);
const struct ledger *store_ledger(const struct name *client);
/* Whether there is an entry or room for one more. */
bool store_has_key_room(const struct name *name);
bool store_has_ledger_room(const struct name *client);

/* Makes the next write and returns its sequence number, from 1; 0 if there is no room or the change makes no sense. */
uint64_t store_apply(const struct change *change);
/* Sequence number of the newest write; 0 before the first. */
uint64_t store_seq(void);
unsigned store_keys(void);
unsigned store_ledgers(void);

/* The whole state as bytes, for a checkpoint. */
#define STORE_IMAGE_MAX (24ul * KEYS_MAX + 48ul * LEDGERS_MAX + 16)
size_t store_save(uint8_t *image);
bool store_load(const uint8_t *image, size_t length, uint64_t seq);
