#include "store.h"

#include "paging.h"

/* Hash tables with linear probing; nothing is ever removed. */
struct tables {
  struct key_entry keys[KEYS_MAX];
  struct ledger ledgers[LEDGERS_MAX];
};

static struct tables memory NOINIT __attribute__((aligned(4096)));
static struct tables *const tables = (struct tables *)TABLES_BASE;
static unsigned keys, ledgers;
static uint64_t seq;

_Static_assert(sizeof(struct tables) <= TABLES_PAGES_MAX * PAGE, "tables fit their pages");
_Static_assert(sizeof(struct change) == 32, "a change is 32 bytes on disk");

void *store_memory(size_t *pages) {
  *pages = (sizeof(struct tables) + PAGE - 1) / PAGE;
  return &memory;
}

void store_init(void) {
  memset(tables, 0, sizeof *tables);
  keys = ledgers = 0;
  seq = 0;
}

static bool equal(const struct name *a, const struct name *b) { return memcmp(a, b, NAME_MAX) == 0; }

static size_t hash(const struct name *n) {
  uint64_t words[2];
  memcpy(words, n, sizeof words);
  return mix64(words[0] ^ mix64(words[1]));
}

/* The entry of that name, or the free one where it would go, or null if the table is full. */
static struct key_entry *find_key(const struct name *name) {
  for (size_t i = 0, at = hash(name); i < KEYS_MAX; i++, at++) {
    struct key_entry *e = &tables->keys[at % KEYS_MAX];
    if (!e->name.text[0] || equal(&e->name, name)) return e;
  }
  return 0;
}

static struct ledger *find_ledger(const struct name *client) {
  for (size_t i = 0, at = hash(client); i < LEDGERS_MAX; i++, at++) {
    struct ledger *e = &tables->ledgers[at % LEDGERS_MAX];
    if (!e->client.text[0] || equal(&e->client, client)) return e;
  }
  return 0;
}

const struct key_entry *store_key(const struct name *name) {
  struct key_entry *e = find_key(name);
  return e && e->name.text[0] ? e : 0;
}

const struct ledger *store_ledger(const struct name *client) {
  struct ledger *e = find_ledger(client);
  return e && e->client.text[0] ? e : 0;
}

bool store_has_key_room(const struct name *name) { return find_key(name) != 0; }
bool store_has_ledger_room(const struct name *client) { return find_ledger(client) != 0; }

uint64_t store_apply(const struct change *change) {
  if (!change->name.text[0]) return 0;
  if (change->kind == CHANGE_KEY) {
    struct key_entry *e = find_key(&change->name);
    if (!e) return 0;
    if (!e->name.text[0]) e->name = change->name, keys++;
    e->value = change->value;
  } else if (change->kind == CHANGE_LEDGER) {
    struct ledger *e = find_ledger(&change->name);
    if (!e) return 0;
    if (!e->client.text[0]) e->client = change->name, ledgers++;
    e->last = change->value;
    e->count++;
    e->sum += change->value;
    e->last_seq = seq + 1;
  } else {
    return 0;
  }
  return ++seq;
}

uint64_t store_seq(void) { return seq; }
unsigned store_keys(void) { return keys; }
unsigned store_ledgers(void) { return ledgers; }

/* Two counts, then the entries in use, without their reserved parts. */
size_t store_save(uint8_t *image) {
  uint64_t counts[2] = {keys, ledgers};
  uint8_t *at = image;
  memcpy(at, counts, sizeof counts);
  at += sizeof counts;
  for (size_t i = 0; i < KEYS_MAX; i++)
    if (tables->keys[i].name.text[0]) memcpy(at, &tables->keys[i], 24), at += 24;
  for (size_t i = 0; i < LEDGERS_MAX; i++)
    if (tables->ledgers[i].client.text[0]) memcpy(at, &tables->ledgers[i], 48), at += 48;
  return (size_t)(at - image);
}

bool store_load(const uint8_t *image, size_t length, uint64_t at_seq) {
  uint64_t counts[2];
  if (length < sizeof counts) return false;
  memcpy(counts, image, sizeof counts);
  if (counts[0] > KEYS_MAX || counts[1] > LEDGERS_MAX) return false;
  if (length != sizeof counts + 24 * counts[0] + 48 * counts[1]) return false;
  image += sizeof counts;
  for (size_t i = 0; i < counts[0]; i++, image += 24) {
    struct name name;
    memcpy(&name, image, sizeof name);
    struct key_entry *e = find_key(&name);
    if (!e || !name.text[0]) return false;
    memcpy(e, image, 24);
  }
  for (size_t i = 0; i < counts[1]; i++, image += 48) {
    struct name name;
    memcpy(&name, image, sizeof name);
    struct ledger *e = find_ledger(&name);
    if (!e || !name.text[0]) return false;
    memcpy(e, image, 48);
  }
  keys = (unsigned)counts[0];
  ledgers = (unsigned)counts[1];
  seq = at_seq;
  return true;
}
