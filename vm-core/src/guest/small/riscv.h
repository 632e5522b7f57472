/* CSRs, fences and memory-mapped registers (RISC-V Priv. 1.12). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSR_STIMECMP 0x14d

#define SSTATUS_SIE (1ul << 1)
#define SIE_STIE (1ul << 5)
#define SIE_SEIE (1ul << 9)

#define CAUSE_INTERRUPT (1ul << 63)
#define CAUSE_TIMER (CAUSE_INTERRUPT | 5)
#define CAUSE_EXTERNAL (CAUSE_INTERRUPT | 9)
#define CAUSE_ILLEGAL 2
#define CAUSE_LOAD_PAGE_FAULT 13
#define CAUSE_STORE_PAGE_FAULT 15

#define STR_(x) #x
#define STR(x) STR_(x)

#define csr_read(csr)                                             \
  ({                                                              \
    uint64_t v_;                                                  \
    __asm__ volatile("csrr %0, " STR(csr) : "=r"(v_)::"memory"); \
    v_;                                                           \
  })
#define csr_write(csr, v) \
  __asm__ volatile("csrw " STR(csr) ", %0" ::"r"((uint64_t)(v)) : "memory")
#define csr_set(csr, v) \
  __asm__ volatile("csrs " STR(csr) ", %0" ::"r"((uint64_t)(v)) : "memory")
#define csr_clear(csr, v) \
  __asm__ volatile("csrc " STR(csr) ", %0" ::"r"((uint64_t)(v)) : "memory")

static inline void fence(void) { __asm__ volatile("fence iorw, iorw" ::: "memory"); }
static inline void wfi(void) { __asm__ volatile("wfi" ::: "memory"); }

static inline uint32_t reg_read(uint64_t address) { return *(volatile uint32_t *)address; }
static inline void reg_write(uint64_t address, uint32_t value) {
  *(volatile uint32_t *)address = value;
}
