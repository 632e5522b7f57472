/* Traps, and the interrupt controller (PLIC). */
#pragma once

#include "lib.h"

#define IRQ_MAX 16

void trap_init(uint64_t hart);
void irq_enable(unsigned irq, void (*handler)(void *device), void *device);

/*
 * Parks the hart until an interrupt was handled. Returns at once if one was handled since the last call: so whoever
 * looks for work, finds none and then calls this never sleeps over anything.
 */
void wait_for_interrupt(void);
/* True once for the interrupts handled since the last call of this or the above; never parks. */
bool interrupt_seen(void);

/* Between the two, an illegal instruction is skipped; false if there was one. */
void trap_probe_begin(void);
bool trap_probe_end(void);
