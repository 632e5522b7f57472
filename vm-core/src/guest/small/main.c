/* A small guest: boots in milliseconds, serves a durable counter and ledger over UDP and TCP, and has a heartbeat. */
#include "blk.h"
#include "console.h"
#include "fdt.h"
#include "journal.h"
#include "lib.h"
#include "net.h"
#include "options.h"
#include "paging.h"
#include "sbi.h"
#include "service.h"
#include "store.h"
#include "tcp.h"
#include "timer.h"
#include "trap.h"
#include "udp.h"
#include "work.h"

extern uint8_t image_end[];

static uint64_t beat_period, beat_at = NEVER;

static uint64_t beat_timer(uint64_t at) {
  if (beat_at <= at) {
    service_beat();
    /* On the beat, also when one was late; those missed altogether are left out. */
    beat_at += ((at - beat_at) / beat_period + 1) * beat_period;
  }
  return beat_at;
}

/* Everything that can be done now; returns when there will be more by time alone. */
static uint64_t turn(void) {
  uint64_t at = now();
  if (at >= service_poweroff_at()) {
    say("power off");
    sbi_shutdown(SBI_NO_REASON);
  }
  net_receive();
  journal_poll();
  uint64_t next = tcp_poll(at);
  journal_poll(); /* for what waiting connections have asked just now */
  next = min_u64(next, udp_send_due(at));
  next = min_u64(next, net_timers(at));
  next = min_u64(next, work_timers(at));
  next = min_u64(next, beat_timer(at));
  net_kick();
  return min_u64(next, service_poweroff_at());
}

static void run(void) {
  for (;;) {
    uint64_t next = turn();
    if (net_before_wait()) continue;
    timer_set(next);
    bool seen = interrupt_seen();
    while (!seen && work_compute()) seen = interrupt_seen();
    if (!seen) wait_for_interrupt();
  }
}

static void boot(uint64_t hart, const uint8_t *tree) {
  static struct fdt_facts facts;
  static struct options options;
  uint64_t started = now();
  console_init();
  fdt_read(tree, &facts);
  trap_init(hart);
  timer_init(facts.timebase_hz, facts.sstc);
  options_parse(facts.bootargs, &options);
  say("Lockstep small guest, %lu MiB", (facts.ram_end - facts.ram_base) >> 20);

  size_t tables_pages;
  void *tables = store_memory(&tables_pages);
  paging_on(facts.ram_end, tables, tables_pages);
  store_init();
  csr_set(sstatus, SSTATUS_SIE);

  /* The device tree is not needed any more, but stays as it is: it was not ours to write to. */
  uint64_t free_end = facts.ram_end;
  if ((uint64_t)tree > (uint64_t)image_end) free_end = min_u64(free_end, (uint64_t)tree & ~(PAGE - 1));
  work_init(&options, (uint64_t)image_end, free_end);

  if (!journal_init(options.fsync)) say("no disk: writes are lost at power-off");
  tcp_init(options.rto_min_ms, facts.seed);
  if (!net_init(&options)) say("no network");
  say("ready after %lu us", us_of_ticks(now() - started));
  if (options.beat_ms) {
    beat_period = ticks_of_ms(options.beat_ms);
    beat_at = now() + beat_period;
  }
}

void main(uint64_t hart, const uint8_t *tree);
void main(uint64_t hart, const uint8_t *tree) {
  boot(hart, tree);
  run();
}
