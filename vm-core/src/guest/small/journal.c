#include "journal.h"

#include "blk.h"
#include "console.h"

#define SUPERBLOCK_SECTOR 0
#define SLOT_SECTORS 128
#define SLOT_SECTOR(slot) (1ul + (slot) * SLOT_SECTORS)
#define RECORDS_SECTOR (1ul + 2 * SLOT_SECTORS)
#define RECORDS_SECTORS_MAX 65536ul
#define CHECKPOINT_AFTER_SECTORS 1024ul

#define VERSION 1
#define RECORD_MAGIC 0x314e524au     /* JRN1 */
#define CHECKPOINT_MAGIC 0x31504b43u /* CKP1 */
#define CHANGES_PER_RECORD 15
#define BATCH_RECORDS 32
#define BATCH_CHANGES (CHANGES_PER_RECORD * BATCH_RECORDS)
#define READ_SECTORS 64

struct superblock {
  char magic[8];
  uint32_t version, crc;
  uint8_t unused[SECTOR - 16];
};

struct record {
  uint32_t magic, crc, previous_crc, boot;
  uint64_t first_seq;
  uint32_t count, reserved;
  struct change changes[CHANGES_PER_RECORD];
};

struct checkpoint {
  struct {
    uint32_t magic, crc, image_crc, image_length;
    uint64_t seq, next_record;
    uint32_t previous_crc, boot;
    uint8_t unused[SECTOR - 40];
  } header;
  uint8_t image[(SLOT_SECTORS - 1) * SECTOR];
};

_Static_assert(sizeof(struct superblock) == SECTOR, "a superblock is a sector");
_Static_assert(sizeof(struct record) == SECTOR, "a record is a sector");
_Static_assert(sizeof(struct checkpoint) == SLOT_SECTORS * SECTOR, "a checkpoint fills its slot");
_Static_assert(STORE_IMAGE_MAX <= (SLOT_SECTORS - 1) * SECTOR, "the store fits a checkpoint");

static const char superblock_magic[8] = "LSTKSML1";

static bool in_use, flushes;
static uint64_t records_sectors;
static uint64_t next_record;           /* where the next record goes, from the beginning of the records */
static uint64_t since_checkpoint;      /* records that the newest checkpoint does not cover */
static uint32_t previous_crc, boot;
static unsigned next_slot;

/* Two batches: one is filled while the other is on its way. */
static struct record batches[2][BATCH_RECORDS] NOINIT;
static struct batch {
  unsigned changes;
  uint64_t first_seq, last_seq;
} batch[2];
static unsigned filling;
static uint64_t filling_number = 1, done_number;
static uint64_t durable_seq;
static size_t written_records;         /* of the batch on its way, by requests that are complete */
static size_t writing_records;         /* by the request under way */

static struct checkpoint slot NOINIT;
static struct journal_counters counters;

static enum { IDLE, WRITING, FLUSHING, WRITING_CHECKPOINT, FLUSHING_CHECKPOINT } state;

uint64_t journal_done(void) { return done_number; }
uint64_t journal_durable_seq(void) { return in_use ? durable_seq : store_seq(); }
uint32_t journal_boot(void) { return boot; }
const struct journal_counters *journal_counters(void) { return &counters; }

uint64_t journal_awaited(void) {
  if (batch[filling].changes) return filling_number;
  return state == IDLE ? done_number : filling_number - 1;
}

bool journal_has_room(unsigned changes) {
  return !in_use || batch[filling].changes + changes <= BATCH_CHANGES;
}

void journal_add(const struct change *change, uint64_t seq) {
  if (!in_use) return;
  struct batch *b = &batch[filling];
  if (b->changes == 0) b->first_seq = seq;
  b->last_seq = seq;
  batches[filling][b->changes / CHANGES_PER_RECORD].changes[b->changes % CHANGES_PER_RECORD] = *change;
  b->changes++;
}

/* ---- records ---- */

static uint32_t record_crc(const struct record *r) { return crc32((const uint8_t *)r + 8, SECTOR - 8); }

static void seal_record(struct record *r, uint64_t first_seq, unsigned count) {
  r->magic = RECORD_MAGIC;
  r->previous_crc = previous_crc;
  r->boot = boot;
  r->first_seq = first_seq;
  r->count = count;
  r->reserved = 0;
  memset(&r->changes[count], 0, (CHANGES_PER_RECORD - count) * sizeof r->changes[0]);
  r->crc = record_crc(r);
  previous_crc = r->crc;
}

static size_t batch_records(unsigned which) {
  return (batch[which].changes + CHANGES_PER_RECORD - 1) / CHANGES_PER_RECORD;
}

static void seal_batch(unsigned which) {
  struct batch *b = &batch[which];
  for (size_t i = 0; i < batch_records(which); i++) {
    uint64_t offset = i * CHANGES_PER_RECORD;
    seal_record(&batches[which][i], b->first_seq + offset, (unsigned)min_u64(b->changes - offset, CHANGES_PER_RECORD));
  }
}

/* What comes now goes into the other batch. */
static void turn_batches(void) {
  filling ^= 1;
  filling_number++;
  batch[filling].changes = 0;
}

/* Writes the rest of the batch on its way, or what of it fits before the end of the circle. */
static void write_batch(void) {
  unsigned which = filling ^ 1;
  size_t left = batch_records(which) - written_records;
  writing_records = min_u64(left, records_sectors - next_record);
  blk_write(RECORDS_SECTOR + next_record, &batches[which][written_records], writing_records);
  state = WRITING;
}

static void start_batch(void) {
  seal_batch(filling);
  turn_batches();
  written_records = 0;
  counters.batches++;
  write_batch();
}

static void finish_batch(void) {
  done_number = filling_number - 1;
  durable_seq = batch[filling ^ 1].last_seq;
  state = IDLE;
}

static void written(void) {
  written_records += writing_records;
  since_checkpoint += writing_records;
  next_record = (next_record + writing_records) % records_sectors;
  if (written_records < batch_records(filling ^ 1)) {
    write_batch();
  } else if (flushes) {
    blk_flush();
    state = FLUSHING;
  } else {
    finish_batch();
  }
}

/* ---- checkpoints ---- */

/* Returns the length in sectors. */
static size_t fill_slot(void) {
  memset(&slot.header, 0, sizeof slot.header);
  size_t length = store_save(slot.image);
  size_t sectors = 1 + (length + SECTOR - 1) / SECTOR;
  memset(slot.image + length, 0, (sectors - 1) * SECTOR - length);
  slot.header.magic = CHECKPOINT_MAGIC;
  slot.header.image_crc = crc32(slot.image, length);
  slot.header.image_length = (uint32_t)length;
  slot.header.seq = store_seq();
  slot.header.next_record = next_record;
  slot.header.previous_crc = previous_crc;
  slot.header.boot = boot;
  slot.header.crc = crc32((uint8_t *)&slot.header + 8, SECTOR - 8);
  return sectors;
}

/*
 * A checkpoint takes the place of the batch that is being filled: its changes are in the store, so they become durable with it and need no
 * records.
 */
static void start_checkpoint(void) {
  turn_batches();
  blk_write(SLOT_SECTOR(next_slot), &slot, fill_slot());
  state = WRITING_CHECKPOINT;
}

static void finish_checkpoint(void) {
  since_checkpoint = 0;
  next_slot ^= 1;
  done_number = filling_number - 1;
  durable_seq = slot.header.seq;
  counters.checkpoints++;
  state = IDLE;
}

static bool checkpoint_due(void) {
  return since_checkpoint >= min_u64(CHECKPOINT_AFTER_SECTORS, records_sectors / 2);
}

void journal_poll(void) {
  while (in_use && !blk_busy()) {
    switch (state) {
      case IDLE:
        /* First, or records that no checkpoint covers would be overwritten under steady load. */
        if (checkpoint_due()) {
          start_checkpoint();
        } else if (batch[filling].changes) {
          start_batch();
        } else {
          return;
        }
        break;
      case WRITING:
        written();
        break;
      case FLUSHING:
        finish_batch();
        break;
      case WRITING_CHECKPOINT:
        if (flushes) {
          blk_flush();
          state = FLUSHING_CHECKPOINT;
        } else {
          finish_checkpoint();
        }
        break;
      case FLUSHING_CHECKPOINT:
        finish_checkpoint();
        break;
    }
  }
}

/* ---- boot ---- */

static bool slot_is_good(void) {
  return slot.header.magic == CHECKPOINT_MAGIC && slot.header.crc == crc32((uint8_t *)&slot.header + 8, SECTOR - 8) &&
         slot.header.image_length <= sizeof slot.image &&
         slot.header.image_crc == crc32(slot.image, slot.header.image_length) &&
         slot.header.next_record < records_sectors;
}

/* Reads a slot, the image only as far as it is used. */
static bool read_slot(unsigned which) {
  blk_read_now(SLOT_SECTOR(which), &slot, 1);
  if (slot.header.magic != CHECKPOINT_MAGIC || slot.header.image_length > sizeof slot.image) return false;
  size_t sectors = (slot.header.image_length + SECTOR - 1) / SECTOR;
  if (sectors) blk_read_now(SLOT_SECTOR(which) + 1, slot.image, sectors);
  return slot_is_good();
}

/* Of two good ones the later one: boots and writes both only go up. */
static bool load_checkpoint(void) {
  bool good[2];
  uint64_t seq[2] = {0, 0};
  uint32_t boots[2] = {0, 0};
  for (unsigned i = 0; i < 2; i++) {
    good[i] = read_slot(i);
    seq[i] = slot.header.seq;
    boots[i] = slot.header.boot;
  }
  if (!good[0] && !good[1]) return false;
  unsigned newest = !good[0] ? 1 : !good[1] ? 0 : boots[1] > boots[0] || (boots[1] == boots[0] && seq[1] > seq[0]);
  if (newest == 0 && !read_slot(0)) return false;
  if (!store_load(slot.image, slot.header.image_length, slot.header.seq)) return false;
  next_record = slot.header.next_record;
  previous_crc = slot.header.previous_crc;
  boot = slot.header.boot;
  next_slot = newest ^ 1;
  return true;
}

static bool replay_record(const struct record *r) {
  if (r->magic != RECORD_MAGIC || r->crc != record_crc(r) || r->previous_crc != previous_crc) return false;
  if (r->count > CHANGES_PER_RECORD || r->first_seq != store_seq() + 1) return false;
  for (uint32_t i = 0; i < r->count; i++)
    if (store_apply(&r->changes[i]) == 0) panic("journal record at seq %lu does not fit the store", r->first_seq);
  previous_crc = r->crc;
  boot = r->boot;
  return true;
}

/* Up to the first record that isn't one: it, and what follows, was never acknowledged. */
static void replay(void) {
  struct record *buffer = &batches[0][0];
  while (since_checkpoint < records_sectors) {
    size_t n = min_u64(min_u64(READ_SECTORS, records_sectors - next_record), records_sectors - since_checkpoint);
    blk_read_now(RECORDS_SECTOR + next_record, buffer, n);
    for (size_t i = 0; i < n; i++) {
      if (!replay_record(&buffer[i])) return;
      since_checkpoint++;
      next_record = (next_record + 1) % records_sectors;
    }
  }
}

_Static_assert(READ_SECTORS <= 2 * BATCH_RECORDS, "the batches are the buffer for reading");

/* An empty record: from here on the journal belongs to this boot. */
static void begin_boot(void) {
  boot++;
  struct record *r = &batches[0][0];
  seal_record(r, store_seq() + 1, 0);
  blk_write_now(RECORDS_SECTOR + next_record, r, 1);
  next_record = (next_record + 1) % records_sectors;
  since_checkpoint++;
}

static void format_disk(void) {
  static struct superblock super;
  memset(&slot, 0, sizeof slot.header);
  blk_write_now(SLOT_SECTOR(1), &slot, 1);
  blk_write_now(SLOT_SECTOR(0), &slot, fill_slot());
  memcpy(super.magic, superblock_magic, sizeof super.magic);
  super.version = VERSION;
  super.crc = crc32(&super, 12);
  blk_write_now(SUPERBLOCK_SECTOR, &super, 1);
  next_slot = 1;
}

static bool is_blank(const uint8_t *sector) {
  for (size_t i = 0; i < SECTOR; i++)
    if (sector[i]) return false;
  return true;
}

bool journal_init(bool flush) {
  if (!blk_init()) return false;
  uint64_t sectors = blk_sectors();
  if (blk_read_only() || sectors < JOURNAL_DISK_SECTORS_MIN) {
    say("disk ignored: it has to be writable and at least 1 MiB");
    return false;
  }
  flushes = flush && blk_can_flush();
  records_sectors = min_u64(sectors - RECORDS_SECTOR, RECORDS_SECTORS_MAX);

  blk_read_now(SUPERBLOCK_SECTOR, &slot, 1);
  struct superblock *super = (struct superblock *)&slot;
  bool blank = is_blank((uint8_t *)super);
  bool ours = memcmp(super->magic, superblock_magic, sizeof super->magic) == 0 && super->version == VERSION &&
              super->crc == crc32(super, 12);
  if (blank) {
    format_disk();
  } else if (!ours) {
    say("disk ignored: it holds something else");
    return false;
  } else {
    if (!load_checkpoint()) panic("disk has no good checkpoint");
    replay();
  }
  begin_boot();
  durable_seq = store_seq();
  in_use = true;
  say("journal %lu sectors, boot %u, seq %lu, %u keys, %u ledgers", records_sectors, boot, store_seq(), store_keys(),
      store_ledgers());
  return true;
}
