#include "timer.h"

#include "sbi.h"
#include "trap.h"

static uint64_t hz;
static bool has_sstc;
static uint64_t armed = NEVER;

uint64_t now(void) { return csr_read(time); }

uint64_t ticks_of_ms(uint64_t ms) { return ms * hz / 1000; }

uint64_t us_of_ticks(uint64_t ticks) {
  return ticks / hz * 1000000 + ticks % hz * 1000000 / hz;
}

void timer_init(uint64_t timebase_hz, bool sstc) {
  hz = timebase_hz;
  has_sstc = false;
  if (sstc) {
    /* Firmware that does not know the extension leaves it switched off (menvcfg.STCE). */
    trap_probe_begin();
    csr_write(CSR_STIMECMP, NEVER);
    has_sstc = trap_probe_end();
  }
}

void timer_set(uint64_t deadline) {
  if (deadline == armed) return;
  armed = deadline;
  if (deadline == NEVER) {
    csr_clear(sie, SIE_STIE);
    return;
  }
  if (has_sstc) {
    csr_write(CSR_STIMECMP, deadline);
  } else {
    sbi_call(SBI_TIME, 0, deadline, 0, 0);
  }
  csr_set(sie, SIE_STIE);
}

void timer_expired(void) {
  armed = NEVER;
  csr_clear(sie, SIE_STIE);
}
