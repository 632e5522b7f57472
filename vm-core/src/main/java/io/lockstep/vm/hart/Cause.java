package io.lockstep.vm.hart;

/** Codes of exceptions and interrupts (RISC-V Priv. §3.1.15, table 14). */
public final class Cause {
  /** Exception codes. */
  public static final int FETCH_ACCESS = 1,
      ILLEGAL_INSTRUCTION = 2,
      BREAKPOINT = 3,
      LOAD_MISALIGNED = 4,
      LOAD_ACCESS = 5,
      STORE_MISALIGNED = 6,
      STORE_ACCESS = 7,
      ECALL_U = 8,
      ECALL_S = 9,
      ECALL_M = 11,
      FETCH_PAGE = 12,
      LOAD_PAGE = 13,
      STORE_PAGE = 15;

  /** Interrupt codes, which are also bit numbers in mip and mie. */
  public static final int SSI = 1, MSI = 3, STI = 5, MTI = 7, SEI = 9, MEI = 11;

  private Cause() {}
}
