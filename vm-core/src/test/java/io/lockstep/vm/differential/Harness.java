package io.lockstep.vm.differential;

import static io.lockstep.vm.differential.Layout.*;

import io.lockstep.vm.asm.Assembler;

/**
 * The code in M-mode around the random blocks: for each record it loads the state, enters the
 * block, logs and skips each instruction that traps, and at the block's ECALL stores the state.
 */
final class Harness {
  private static final int FETCH_ACCESS = 1,
      BREAKPOINT = 3,
      LOAD_ACCESS = 5,
      STORE_ACCESS = 7,
      FETCH_PAGE = 12,
      ECALL_U = 8,
      ECALL_S = 9;
  private static final int ECALL_M = 11;
  private static final int MSCRATCH = 0x340, MSTATUS_CSR = 0x300, MEPC_CSR = 0x341;
  private static final int MTVAL_CSR = 0x343, MCAUSE_CSR = 0x342, MIP_CSR = 0x344;
  private static final int SCAUSE_CSR = 0x142, SEPC_CSR = 0x141, STVAL_CSR = 0x143;

  private final Assembler a = new Assembler(BASE, 0x8000);

  private Harness() {}

  static byte[] code(int records) {
    Harness h = new Harness();
    h.start(records);
    h.next();
    h.trap();
    h.end(records);
    return h.a.bytes();
  }

  /** The S-mode trap handler: whatever vector is taken, it calls M-mode. */
  static byte[] stub() {
    Assembler s = new Assembler(STUB, 4096);
    for (int i = 0; i < 64; i++) {
      s.ecall();
    }
    return s.bytes();
  }

  private static long napot(long start, long length) {
    return (start | length / 2 - 1) >> 2;
  }

  private void start(int records) {
    a.csrr(5, 0xf14).beq(5, 0, "first");
    // A second hart only makes QEMU emulate atomics as on a real multiprocessor.
    a.label("park").csrw(0x304, 0).wfi().jal(0, "park");
    a.label("first");
    a.li(5, 1L << 61).csrw(0x30a, 5); // menvcfg.ADUE
    a.csrw(0x306, 0);
    a.li(5, 0x200_4000).addi(6, 0, -1).sd(6, 5, 0); // no timer interrupt
    a.li(5, napot(CODE, CODE_LENGTH)).csrw(0x3b3, 5);
    a.li(5, napot(DATA, 2 << 20)).csrw(0x3b4, 5);
    a.li(5, napot(TABLES, TABLES_LENGTH)).csrw(0x3b5, 5);
    a.li(5, napot(STUB, 4096)).csrw(0x3b6, 5);
    a.li(31, record(0));
    a.jal(5, "trapAddress");
    a.jal(0, "trap");
    a.label("trapAddress").csrw(0x305, 5);
    if (records == 0) {
      throw new IllegalArgumentException("no records");
    }
  }

  /** Loads the record at x31 and enters its block. */
  private void next() {
    a.label("next").csrw(MSCRATCH, 31);
    a.ld(30, 31, RESULT * 8).sd(0, 30, LOG_COUNT * 8);
    a.li(5, 3 << 13).csrw(MSTATUS_CSR, 5);
    for (int i = 0; i < 32; i++) {
      a.fld(i, 31, (F + i) * 8);
    }
    for (int i = 0; i < CSRS_SET.length; i++) {
      a.ld(5, 31, (CSRS + i) * 8).csrw(CSRS_SET[i], 5);
    }
    a.ld(5, 31, ENTRY * 8).csrw(MEPC_CSR, 5);
    for (int i = 1; i < 32; i++) {
      a.ld(i, 31, (X + i) * 8);
    }
    mretToNewTranslations();
  }

  /**
   * QEMU 7.2 does not index its translations by the privilege of MPRV, and forgets that MRET
   * changes it.
   */
  private void mretToNewTranslations() {
    a.sfence(0, 0).mret();
  }

  private void trap() {
    a.label("trap").csrrw(31, MSCRATCH, 31);
    a.sd(30, 31, SCRATCH * 8).ld(30, 31, RESULT * 8);
    for (int i = 1; i < 30; i++) {
      a.sd(i, 30, (RESULT_X + i) * 8);
    }
    a.ld(1, 31, SCRATCH * 8).sd(1, 30, (RESULT_X + 30) * 8);
    a.csrr(1, MSCRATCH).sd(1, 30, (RESULT_X + 31) * 8).csrw(MSCRATCH, 31);
    a.csrr(5, MCAUSE_CSR).csrr(6, MEPC_CSR).csrr(7, MTVAL_CSR).csrr(8, MSTATUS_CSR);
    a.ld(9, 30, LOG_COUNT * 8).slli(10, 9, 6).add(10, 10, 30);
    a.addi(9, 9, 1).sd(9, 30, LOG_COUNT * 8);
    a.sd(5, 10, (LOG + MCAUSE) * 8).sd(6, 10, (LOG + MEPC) * 8);
    a.sd(7, 10, (LOG + MTVAL) * 8).sd(8, 10, (LOG + MSTATUS) * 8);
    a.sd(0, 10, (LOG + SCAUSE) * 8).sd(0, 10, (LOG + SEPC) * 8);
    a.sd(0, 10, (LOG + STVAL) * 8).sd(0, 10, (LOG + WAS_DELEGATED) * 8);
    delegated();
    a.branch(4, 5, 0, "interrupt"); // bltz
    for (int cause : new int[] {0, FETCH_ACCESS, FETCH_PAGE, ECALL_U, ECALL_S, ECALL_M}) {
      a.addi(11, 0, cause).bne(5, 11, "not" + cause).jal(0, "end").label("not" + cause);
    }
    a.addi(11, 0, TRAPS_MAX).branch(4, 9, 11, "skip").jal(0, "end");
    skip();
    a.label("interrupt").csrw(MIP_CSR, 0);
    a.addi(11, 0, TRAPS_MAX).branch(4, 9, 11, "resume").jal(0, "end");
    resume();
  }

  /** If the trap was taken in S-mode first: continue as if it had come here, from its origin. */
  private void delegated() {
    a.li(11, STUB).sub(12, 6, 11).srli(12, 12, 12).bne(12, 0, "direct");
    a.csrr(5, SCAUSE_CSR).csrr(6, SEPC_CSR).csrr(7, STVAL_CSR);
    a.sd(5, 10, (LOG + SCAUSE) * 8).sd(6, 10, (LOG + SEPC) * 8).sd(7, 10, (LOG + STVAL) * 8);
    a.addi(11, 0, 1).sd(11, 10, (LOG + WAS_DELEGATED) * 8);
    a.andi(12, 8, 0x100).slli(12, 12, 3);
    a.li(13, 0x1800).csrc(MSTATUS_CSR, 13).csrs(MSTATUS_CSR, 12);
    forgetValue("delegated", STVAL_CSR, SCAUSE_CSR);
    a.label("direct");
    forgetValue("direct", MTVAL_CSR, MCAUSE_CSR);
  }

  /** What may differ in a trap (see {@link Comparison}) is not left for a block to read. */
  private void forgetValue(String name, int valueCsr, int causeCsr) {
    for (int cause : new int[] {BREAKPOINT, LOAD_ACCESS, STORE_ACCESS}) {
      String other = name + "Not" + cause;
      a.addi(11, 0, cause).bne(5, 11, other).csrw(valueCsr, 0).csrw(causeCsr, 0).label(other);
    }
  }

  private void skip() {
    a.label("skip").ld(12, 31, VIRTUAL_OFFSET * 8).sub(12, 6, 12);
    a.li(13, CODE).sub(14, 12, 13).srli(14, 14, 21).beq(14, 0, "inside").jal(0, "end");
    a.label("inside").i(0x03, 5, 12, 12, 0).andi(12, 12, 3).addi(13, 0, 3);
    a.addi(6, 6, 2).bne(12, 13, "resume").addi(6, 6, 2).jal(0, "resume");
  }

  private void resume() {
    a.label("resume").csrw(MEPC_CSR, 6);
    for (int i = 1; i < 30; i++) {
      a.ld(i, 30, (RESULT_X + i) * 8);
    }
    a.ld(31, 30, (RESULT_X + 31) * 8).ld(30, 30, (RESULT_X + 30) * 8);
    mretToNewTranslations();
  }

  private void end(int records) {
    a.label("end").li(5, 3 << 13).csrs(MSTATUS_CSR, 5);
    for (int i = 0; i < 32; i++) {
      a.fsd(i, 30, (RESULT_F + i) * 8);
    }
    for (int i = 0; i < CSRS_SHOWN.length; i++) {
      a.csrr(5, CSRS_SHOWN[i]).sd(5, 30, (RESULT_CSRS + i) * 8);
    }
    a.addi(31, 31, RECORD_WORDS * 8);
    a.li(5, record(records)).bne(31, 5, "more");
    a.powerOff(5, 6).jal(0, "off");
    a.label("more").jal(0, "next");
  }
}
