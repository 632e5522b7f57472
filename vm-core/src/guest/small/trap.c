#include "trap.h"

#include "console.h"
#include "paging.h"
#include "timer.h"

#define PLIC 0x0c000000ul
#define PLIC_PRIORITY(irq) (PLIC + 4ul * (irq))
#define PLIC_ENABLE(context) (PLIC + 0x2000 + 0x80ul * (context))
#define PLIC_THRESHOLD(context) (PLIC + 0x200000 + 0x1000ul * (context))
#define PLIC_CLAIM(context) (PLIC_THRESHOLD(context) + 4)

static struct {
  void (*handler)(void *device);
  void *device;
} lines[IRQ_MAX];
static uint64_t context;
static volatile bool seen;
static volatile bool probing, probe_failed;

void trap_init(uint64_t hart) {
  context = 2 * hart + 1; /* each hart has one for M-mode and one for S-mode */
  reg_write(PLIC_ENABLE(context), 0);
  reg_write(PLIC_THRESHOLD(context), 0);
  csr_set(sie, SIE_SEIE);
}

void irq_enable(unsigned irq, void (*handler)(void *device), void *device) {
  if (irq >= IRQ_MAX) panic("interrupt %u out of range", irq);
  lines[irq].handler = handler;
  lines[irq].device = device;
  reg_write(PLIC_PRIORITY(irq), 1);
  reg_write(PLIC_ENABLE(context), reg_read(PLIC_ENABLE(context)) | 1u << irq);
}

static void external(void) {
  for (;;) {
    uint32_t irq = reg_read(PLIC_CLAIM(context));
    if (irq == 0) return;
    if (irq < IRQ_MAX && lines[irq].handler) lines[irq].handler(lines[irq].device);
    reg_write(PLIC_CLAIM(context), irq);
  }
}

void trap(void);
void trap(void) {
  uint64_t cause = csr_read(scause);
  if (cause == CAUSE_TIMER) {
    timer_expired();
    seen = true;
  } else if (cause == CAUSE_EXTERNAL) {
    external();
    seen = true;
  } else if (cause == CAUSE_ILLEGAL && probing) {
    probe_failed = true;
    csr_write(sepc, csr_read(sepc) + 4);
  } else if ((cause == CAUSE_LOAD_PAGE_FAULT || cause == CAUSE_STORE_PAGE_FAULT) &&
             paging_fault(csr_read(stval), cause == CAUSE_STORE_PAGE_FAULT)) {
    return;
  } else {
    panic("trap scause 0x%lx sepc 0x%lx stval 0x%lx", csr_read(scause), csr_read(sepc), csr_read(stval));
  }
}

void wait_for_interrupt(void) {
  /* With interrupts off, so that none slips in between the look and the wait; a pending one ends the wait all the same. */
  csr_clear(sstatus, SSTATUS_SIE);
  if (!seen) wfi();
  csr_set(sstatus, SSTATUS_SIE);
  seen = false;
}

bool interrupt_seen(void) {
  csr_set(sstatus, SSTATUS_SIE);
  if (!seen) return false;
  seen = false;
  return true;
}

void trap_probe_begin(void) {
  probe_failed = false;
  probing = true;
}

bool trap_probe_end(void) {
  probing = false;
  return !probe_failed;
}
