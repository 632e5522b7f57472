package io.lockstep.vm.engine.x86;

import static io.lockstep.vm.engine.x86.Assembler.*;

import io.lockstep.vm.engine.x86.Assembler.Label;

/** Code that is not the guest's: ways into units, out of them, and from one to the next. */
final class Stubs {
  /** {@code long enter(registers, loads, stores, offset of the context, fuel, unit)}. */
  final long enter;

  /** {@code int features()}: not 0 if the host has FMA3. */
  final long features;

  /** To the unit at the address in RAX; or returns that there is none. */
  final long lookUp;

  /** Return to the run loop at the offset in RAX. */
  final long outOfFuel;

  final long notReady;

  /** Returns to the run loop with the site that has been set. */
  final long ask;

  final byte[] code;
  private final long base;
  private final long miss;

  Stubs(long base) {
    this.base = base;
    Assembler a = new Assembler(base + Layout.CODE);
    Label exit = new Label();
    miss = a.here();
    returning(a, Layout.MISS, exit);
    outOfFuel = a.here();
    returning(a, Layout.FUEL, exit);
    notReady = a.here();
    returning(a, Layout.FLOAT, exit);
    ask = a.here();
    a.constant(RAX, Layout.ASK);
    a.bind(exit);
    a.ra(STORE, true, R13, base + Layout.LEFT);
    a.ra(STORE, true, R12, base + Layout.PAGE);
    a.mxcsr(3, base + Layout.MXCSR_AT_END);
    int[] kept = {RBX, RBP, R12, R13, R14, R15};
    for (int i = kept.length - 1; i >= 0; i--) {
      a.pop(kept[i]);
    }
    a.ret();
    enter = a.here();
    for (int register : kept) {
      a.push(register);
    }
    a.rm(LEA, true, RBP, RDI, GuestRegisters.BIAS);
    a.rx(LEA, true, R14, RSI, RCX, 0, 0);
    a.rx(LEA, true, R15, RDX, RCX, 0, 0);
    a.rr(MOV, true, R13, R8);
    a.ra(MOV, true, R12, base + Layout.PAGE);
    a.mxcsr(2, base + Layout.MXCSR_AT_START);
    a.jumpTo(R9);
    lookUp = a.here();
    lookUp(a);
    features = a.here();
    a.push(RBX);
    a.constant(RAX, 1);
    a.constant(RCX, 0);
    a.cpuid();
    a.rr(MOV, false, RAX, RCX);
    a.ri(AND, false, RAX, FMA | OSXSAVE | AVX);
    a.pop(RBX);
    a.ret();
    code = a.toBytes();
  }

  private static final int FMA = 1 << 12, OSXSAVE = 1 << 27, AVX = 1 << 28;

  static boolean hasFused(long features) {
    return (features & (FMA | OSXSAVE | AVX)) == (FMA | OSXSAVE | AVX);
  }

  private void returning(Assembler a, int what, Label exit) {
    a.ra(STORE, true, RAX, base + Layout.OFFSET);
    a.constant(RAX, what);
    a.jump(exit);
  }

  /** Emits the way from the virtual address in RAX to its unit. */
  void lookUp(Assembler a) {
    Label none = new Label();
    a.rr(MOV, false, RCX, RAX);
    a.shift(SHR, false, RCX, 8);
    a.ri(AND, false, RCX, (Layout.SLOTS_PER_CONTEXT - 1) << 4);
    a.rr(MOV, true, R12, RAX);
    a.ri(AND, true, R12, -4096);
    a.rm(LEA, true, RDX, R12, 1);
    a.ra(ADD, true, RCX, base + Layout.SLOT_BASE);
    a.ri(AND, false, RAX, 4095);
    a.rm(CMP, true, RDX, RCX, 0);
    a.jumpIf(NOT_EQUAL, none);
    a.rm(MOV, true, RCX, RCX, 8);
    a.rx(MOV, false, RCX, RCX, RAX, 1, 0);
    a.ra(LEA, true, RDX, base + Layout.CODE);
    a.rr(ADD, true, RCX, RDX);
    a.jumpTo(RCX);
    a.bind(none);
    a.jumpTo(miss);
  }
}
