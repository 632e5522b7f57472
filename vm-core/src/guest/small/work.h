/* What the guest does besides serving: load=cpu and dirty_kb=. */
#pragma once

#include "options.h"

void work_init(const struct options *options, uint64_t free_begin, uint64_t free_end);
/* Dirties what is due; returns when it wants to be called again. */
uint64_t work_timers(uint64_t at);
/* Whether there is a computation to fill idle time with; if so, does a piece of it. */
bool work_compute(void);

uint64_t work_rounds(void);
uint64_t work_checksum(void);
uint64_t work_dirtied(void);
