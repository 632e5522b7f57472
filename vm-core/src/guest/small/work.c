#include "work.h"

#include "console.h"
#include "paging.h"
#include "timer.h"

#define ROUNDS_PER_PIECE 2000
#define TICK_MS 10
#define PAGE_KB 4
#define PAGES_PER_TICK_MAX 16384ul

static bool load_cpu;
static uint64_t rounds, checksum;
static uint64_t dirty_pages_per_s, window_pages, window_next, scheduled, dirtied;
static uint64_t started, tick_at = NEVER;

uint64_t work_rounds(void) { return rounds; }
uint64_t work_checksum(void) { return checksum; }
uint64_t work_dirtied(void) { return dirtied; }

void work_init(const struct options *o, uint64_t free_begin, uint64_t free_end) {
  load_cpu = o->load_cpu;
  dirty_pages_per_s = (o->dirty_kb + PAGE_KB - 1) / PAGE_KB;
  if (dirty_pages_per_s == 0) return;
  uint64_t span = o->dirty_span_kb ? (o->dirty_span_kb + PAGE_KB - 1) / PAGE_KB : WINDOW_PAGES_MAX;
  uint64_t available = free_end > free_begin ? (free_end - free_begin) / PAGE : 0;
  window_pages = min_u64(min_u64(span, available), WINDOW_PAGES_MAX);
  if (window_pages == 0) {
    say("dirty_kb ignored: no free memory");
    return;
  }
  paging_map_window(free_begin, window_pages);
  started = tick_at = now();
  say("dirtying %lu KiB/s in %lu KiB", dirty_pages_per_s * PAGE_KB, window_pages * PAGE_KB);
}

uint64_t work_timers(uint64_t at) {
  if (tick_at > at) return tick_at;
  uint64_t due = us_of_ticks(at - started) * dirty_pages_per_s / 1000000 - scheduled;
  /* What could not be done in time is skipped rather than made up for without an end. */
  uint64_t now_due = min_u64(due, PAGES_PER_TICK_MAX);
  for (uint64_t i = 0; i < now_due; i++) {
    *(volatile uint64_t *)(WINDOW_BASE + window_next * PAGE) = dirtied + i;
    window_next = window_next + 1 == window_pages ? 0 : window_next + 1;
  }
  scheduled += due;
  dirtied += now_due;
  tick_at = at + ticks_of_ms(TICK_MS);
  return tick_at;
}

/* checksum(0) = 0; checksum(n + 1) = x ^ x >> 29 where x = (checksum(n) ^ n) * 0x100000001b3, modulo 2^64. */
bool work_compute(void) {
  if (!load_cpu) return false;
  uint64_t c = checksum, n = rounds;
  for (unsigned i = 0; i < ROUNDS_PER_PIECE; i++, n++) {
    uint64_t x = (c ^ n) * 0x100000001b3ul;
    c = x ^ x >> 29;
  }
  checksum = c;
  rounds = n;
  return true;
}
