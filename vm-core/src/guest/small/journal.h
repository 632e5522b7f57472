/*
 * The journal: makes writes durable before they are acknowledged. Everything is little-endian, in sectors of 512 bytes.
 *
 *   sector 0            superblock: magic "LSTKSML1", u32 version, u32 crc of the 12 bytes before it
 *   1 .. 128            checkpoint slot 0
 *   129 .. 256          checkpoint slot 1
 *   257 .. end          records, circular
 *
 * Record, one sector:
 *
 *    0      4      8         12          16         24      28         32                     512
 *   +------+------+---------+-----------+----------+-------+----------+----------------------+
 *   | "JRN1" crc  | crc of  | boot      | seq of   | count | reserved | up to 15 changes     |
 *   |      |8..511| previous| number    | first    |       |          | of 32 bytes (store.h)|
 *   +------+------+---------+-----------+----------+-------+----------+----------------------+
 *
 * Each record carries the CRC of the one before it, and each boot begins with an empty record under a boot number of its own. So a
 * record that a crash left behind beyond the end of the journal (never acknowledged) can't become part of it later.
 *
 * Checkpoint slot: one sector of header ("CKP1", crc of the rest of the header, crc of the image, its length, seq, sector of the
 * next record, crc of the record before that, boot number), then the image of the store. The newer good slot counts; the other is
 * the one that is written next, so a crash meanwhile costs nothing.
 */
#pragma once

#include "store.h"

#define JOURNAL_DISK_SECTORS_MIN 2048

struct journal_counters {
  uint64_t batches, checkpoints;
};

/* Reads the disk into the store. False: there is no disk to use, and writes live in RAM only. */
bool journal_init(bool flush);

/* Whether `changes` more fit the batch that is being filled. */
bool journal_has_room(unsigned changes);
void journal_add(const struct change *change, uint64_t seq);

/*
 * Group commit. Replies are held back by the number of a batch: a reply that tells of the state now may go out when journal_done()
 * has reached journal_awaited().
 */
uint64_t journal_awaited(void);
uint64_t journal_done(void);

/* Starts what can be started and finishes what is finished: once per turn of the main loop. */
void journal_poll(void);
/* Newest sequence number that is as durable as it gets. */
uint64_t journal_durable_seq(void);
uint32_t journal_boot(void);
const struct journal_counters *journal_counters(void);
