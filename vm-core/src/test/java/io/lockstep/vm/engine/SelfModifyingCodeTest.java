package io.lockstep.vm.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.asm.Assembler;
import io.lockstep.vm.asm.BareMachine;
import io.lockstep.vm.machine.Machine;
import org.junit.jupiter.api.Test;

/** Code that is written over runs as it was written, with FENCE.I and, here, without. */
final class SelfModifyingCodeTest {
  /** {@code addi x10, x10, n}. */
  private static int add(int n) {
    return n << 20 | 10 << 15 | 10 << 7 | 0x13;
  }

  private static final int RET = 0x8067;

  @Test
  void aFunctionThatIsPatchedBetweenTwoCallsRunsAsPatched() {
    assertThat(patched(true)).isEqualTo(1 + 1 + 64 + 64);
    assertThat(patched(false)).isEqualTo(1 + 1 + 64 + 64);
  }

  private static long patched(boolean fence) {
    Assembler a = BareMachine.program();
    a.li(10, 0).jal(1, "f").jal(1, "f");
    a.jal(5, "patch").word(add(64)).label("patch");
    a.i(0x03, 2, 6, 5, 0); // lw x6, 0(x5): the new instruction
    a.jal(7, "code").label("f").word(add(1)).word(RET).label("code");
    a.sw(6, 7, 0);
    if (fence) {
      a.fenceI();
    }
    a.jal(1, "f").jal(1, "f").powerOff(5, 6);
    return BareMachine.run(a).register(10);
  }

  @Test
  void anInstructionPatchedAheadInTheSameBlockRunsAsPatched() {
    Assembler a = BareMachine.program();
    a.li(10, 0).li(6, add(64)).i(0x17, 0, 7, 0, 0); // auipc x7, 0
    a.sw(6, 7, 12).addi(10, 10, 1).word(add(2)).powerOff(5, 6);
    assertThat(BareMachine.run(a).register(10)).isEqualTo(1 + 64);
  }

  @Test
  void theSecondHalfOfAnInstructionAcrossPagesMayBePatched() {
    long boundary = BareMachine.BASE + 0x3000;
    Assembler a = BareMachine.program();
    a.li(10, 0).li(7, boundary).jal(1, "f").jal(1, "f");
    a.li(6, add(64) >>> 16).sh(6, 7, 0).jal(1, "f").jal(1, "f").powerOff(5, 6);
    a.padTo(boundary - 6).label("f").word(add(1)).word(add(2)).word(RET);
    assertThat(BareMachine.run(a).register(10)).isEqualTo(3 + 3 + 65 + 65);
  }

  @Test
  void theFirstHalfOfAnInstructionAcrossPagesMayBePatched() {
    long boundary = BareMachine.BASE + 0x3000;
    Assembler a = BareMachine.program();
    a.li(10, 0).li(7, boundary).jal(1, "f").jal(1, "f");
    // The low half holds opcode, rd, funct3 and one bit of rs1: addi becomes andi.
    a.li(6, (add(2) | 7 << 12) & 0xffff).sh(6, 7, -2).jal(1, "f").powerOff(5, 6);
    a.padTo(boundary - 6).label("f").word(add(1)).word(add(2)).word(RET);
    assertThat(BareMachine.run(a).register(10)).isEqualTo((3 + 3 + 1) & 2);
  }

  @Test
  void codeThatIsOnlyReachedByFallingThroughIsFoundAgainAfterAPatch() {
    Assembler a = BareMachine.program();
    a.li(10, 0).li(9, 3).i(0x17, 0, 7, 0, 0); // auipc x7, 0
    a.label("loop").addi(9, 9, -1).beq(9, 0, "end"); // x7 + 4, + 8
    a.word(add(1)); // x7 + 12, behind a branch
    a.li(6, add(64)).sw(6, 7, 12).jal(0, "loop");
    a.label("end").powerOff(5, 6);
    assertThat(BareMachine.run(a).register(10)).isEqualTo(1 + 64);
  }

  @Test
  void aRemappedPageBehindTheLastInstructionOfAPageIsSeen() {
    Machine m = BareMachine.run(remap());
    assertThat(m.register(10)).isEqualTo(1 + 66);
  }

  /**
   * S-mode code in a page of its own ends with an instruction that goes on in the next virtual
   * page, which is mapped to one physical page first and to another then.
   */
  private static Assembler remap() {
    long table = BareMachine.BASE + 0x10_0000;
    long first = BareMachine.BASE + 0x2000;
    long virtual = 0x4000_0000L;
    Assembler a = BareMachine.program();
    a.li(5, -1).csrw(0x3b0, 5).li(5, 0x1f).csrw(0x3a0, 5); // PMP: all of memory
    put(a, table, leaf(BareMachine.BASE)); // gigapage 0: RAM, for the handler's sake
    put(a, table + 8, branch(table + 0x1000)); // 0x4000_0000
    put(a, table + 16, leaf(BareMachine.BASE));
    put(a, table + 0x1000, branch(table + 0x2000));
    put(a, table + 0x2000, leaf(first));
    put(a, table + 0x2008, leaf(first + 0x1000));
    a.li(5, 8L << 60 | table >>> 12).csrw(0x180, 5);
    a.jal(5, "to handler").jal(0, "handler").label("to handler").csrw(0x305, 5);
    a.li(5, 1 << 11).csrw(0x300, 5);
    a.li(10, 0).li(20, 0).li(21, virtual + 0xff8);
    a.label("enter").csrw(0x341, 21).mret();
    a.label("handler").addi(20, 20, 1).addi(5, 0, 2).beq(20, 5, "done");
    put(a, table + 0x2008, leaf(first + 0x2000));
    a.sfence(0, 0).jal(0, "enter");
    a.label("done").powerOff(5, 6);
    a.padTo(first + 0xff8).half(1).word(add(0)).half(add(1) & 0xffff);
    a.half(add(1) >>> 16).ecall();
    a.padTo(first + 0x2000).half(add(66) >>> 16).ecall();
    return a;
  }

  private static long leaf(long physical) {
    return physical >>> 12 << 10 | 0xcf;
  }

  private static long branch(long table) {
    return table >>> 12 << 10 | 1;
  }

  private static void put(Assembler a, long address, long value) {
    a.li(5, address).li(6, value).sd(6, 5, 0);
  }
}
