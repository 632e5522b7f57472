/* Time since power-on, in ticks of the timebase, and one deadline. */
#pragma once

#include "lib.h"

#define NEVER (~0ul)

void timer_init(uint64_t timebase_hz, bool sstc);
uint64_t now(void);
uint64_t ticks_of_ms(uint64_t ms);
uint64_t us_of_ticks(uint64_t ticks);

/* The next timer interrupt is due then; NEVER for none. */
void timer_set(uint64_t deadline);
/* The interrupt was taken: quiet until the next timer_set. */
void timer_expired(void);
