#include "sbi.h"

struct sbi_result sbi_call(uint64_t extension, uint64_t function, uint64_t arg0, uint64_t arg1, uint64_t arg2) {
  register uint64_t a0 __asm__("a0") = arg0;
  register uint64_t a1 __asm__("a1") = arg1;
  register uint64_t a2 __asm__("a2") = arg2;
  register uint64_t a6 __asm__("a6") = function;
  register uint64_t a7 __asm__("a7") = extension;
  __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
  return (struct sbi_result){(int64_t)a0, (int64_t)a1};
}

bool sbi_has(uint64_t extension) {
  struct sbi_result r = sbi_call(SBI_BASE, 3, extension, 0, 0);
  return r.error == 0 && r.value != 0;
}

_Noreturn void sbi_shutdown(uint64_t reason) {
  csr_clear(sstatus, SSTATUS_SIE);
  sbi_call(SBI_SRST, 0, 0, reason, 0);
  /* No way to switch off: stay parked. */
  csr_write(sie, 0);
  for (;;) wfi();
}
