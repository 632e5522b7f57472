/* Calls into the firmware (RISC-V SBI 2.0). */
#pragma once

#include "lib.h"

#define SBI_BASE 0x10
#define SBI_TIME 0x54494d45
#define SBI_SRST 0x53525354
#define SBI_DBCN 0x4442434e

#define SBI_NO_REASON 0
#define SBI_SYSTEM_FAILURE 1

struct sbi_result {
  int64_t error, value;
};

struct sbi_result sbi_call(uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1, uint64_t a2);
bool sbi_has(uint64_t extension);
_Noreturn void sbi_shutdown(uint64_t reason);
