/* The disk: one request at a time (virtio 1.2 §5.2). */
#pragma once

#include "lib.h"

#define SECTOR 512ul

/* False if there is no disk. */
bool blk_init(void);
uint64_t blk_sectors(void);
bool blk_read_only(void);
bool blk_can_flush(void);

/* Starts a request; no other may be under way. A failed request is a panic: what isn't on disk is never acknowledged. */
void blk_write(uint64_t sector, const void *data, size_t sectors);
void blk_flush(void);
/* Whether a request is under way. */
bool blk_busy(void);

/* For the boot: these wait. */
void blk_read_now(uint64_t sector, void *data, size_t sectors);
void blk_write_now(uint64_t sector, const void *data, size_t sectors);
