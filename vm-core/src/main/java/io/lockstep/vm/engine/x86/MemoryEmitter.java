package io.lockstep.vm.engine.x86;

import static io.lockstep.vm.engine.x86.Assembler.*;

import io.lockstep.vm.engine.x86.Assembler.Label;
import io.lockstep.vm.isa.Op;

/**
 * Emits accesses to guest memory by the MMU's fast entries, see {@link io.lockstep.vm.mmu.Mmu};
 * what misses them is for the run loop. One hart: what is atomic in the guest need not be in the
 * host.
 */
final class MemoryEmitter {
  private static final int BLOCK = 64;

  private final Assembler a;
  private final GuestRegisters guest;
  private final RegionEmitter.Places places;

  MemoryEmitter(Assembler a, GuestRegisters guest, RegionEmitter.Places places) {
    this.a = a;
    this.guest = guest;
    this.places = places;
  }

  /**
   * Emits an access.
   *
   * <p>The guest address is in RAX, and still there where the code goes to {@code ask}.
   *
   * @param ask where the code goes to have the run loop do the access
   */
  void emit(long op, Label ask) {
    int code = Op.code(op);
    if (code <= Op.LWU || code == Op.FLW || code == Op.FLD) {
      load(op, code, ask);
    } else if (code <= Op.FSD) {
      store(op, code, ask);
    } else if (code == Op.CBO_ZERO) {
      zero(ask);
    } else {
      atomic(op, code, ask);
    }
  }

  /** Compares the guest address in RAX with its entry, whose offset is then in RCX. */
  private void compareTag(int entries, int size, Label miss) {
    a.rr(MOV, false, RCX, RAX);
    a.shift(SHR, false, RCX, 8);
    a.ri(AND, false, RCX, (Layout.SLOTS_PER_CONTEXT - 1) << 4);
    a.rr(MOV, true, RDX, RAX);
    a.ri(AND, true, RDX, -4096 | size - 1);
    a.rx(CMP, true, RDX, entries, RCX, 0, 0);
    a.jumpIf(NOT_EQUAL, miss);
  }

  /** The guest address in RAX becomes the host's. */
  private void translate(int entries, int size, Label miss) {
    compareTag(entries, size, miss);
    a.rx(ADD, true, RAX, entries, RCX, 0, 8);
  }

  private void load(long op, int code, Label miss) {
    int rd = Op.rd(op);
    int target = guest.target(rd);
    switch (code) {
      case Op.LB -> loadTo(MOVSX8, true, 1, target, miss);
      case Op.LH -> loadTo(MOVSX16, true, 2, target, miss);
      case Op.LW -> loadTo(MOVSXD, true, 4, target, miss);
      case Op.LBU -> loadTo(MOVZX8, false, 1, target, miss);
      case Op.LHU -> loadTo(MOVZX16, false, 2, target, miss);
      case Op.LWU -> loadTo(MOV, false, 4, target, miss);
      case Op.FLW -> {
        loadTo(MOV, false, 4, RAX, miss);
        a.rm(STORE, false, RAX, RBP, GuestRegisters.displacement(rd));
        a.storeConstant(4, RBP, GuestRegisters.displacement(rd) + 4, -1);
        return;
      }
      default -> loadTo(MOV, true, 8, target, miss);
    }
    guest.store(rd, target);
  }

  private void loadTo(int opcode, boolean wide, int size, int target, Label miss) {
    translate(R14, size, miss);
    a.rm(opcode, wide, target, RAX, 0);
  }

  private void store(long op, int code, Label miss) {
    int size =
        switch (code) {
          case Op.SB -> 1;
          case Op.SH -> 2;
          case Op.SW, Op.FSW -> 4;
          default -> 8;
        };
    translate(R15, size, miss);
    int rs2 = Op.rs2(op);
    if (rs2 == 0) {
      a.storeConstant(size, RAX, 0, 0);
      return;
    }
    int value = guest.host(rs2);
    if (value < 0) {
      guest.load(RDX, rs2);
      value = RDX;
    }
    switch (size) {
      case 1 -> a.rm(STORE8, false, value, RAX, 0);
      case 2 -> a.store16(value, RAX);
      default -> a.rm(STORE, size == 8, value, RAX, 0);
    }
  }

  private void zero(Label ask) {
    a.compareConstant(places.state(Layout.ZERO_ALLOWED), 0);
    a.jumpIf(EQUAL, ask);
    translate(R15, 1, ask);
    a.ri(AND, true, RAX, -BLOCK);
    a.constant(RCX, 0);
    for (int k = 0; k < BLOCK; k += 8) {
      a.rm(STORE, true, RCX, RAX, k);
    }
  }

  private void atomic(long op, int code, Label ask) {
    boolean wide = code == Op.LR_D || code == Op.SC_D || code >= Op.AMOSWAP_D;
    int size = wide ? 8 : 4;
    switch (code) {
      case Op.LR_W, Op.LR_D -> {
        translate(R14, size, ask);
        physical();
        a.ra(STORE, true, RDX, places.state(Layout.RESERVATION));
        a.rm(wide ? MOV : MOVSXD, true, RAX, RAX, 0);
        guest.store(Op.rd(op), RAX);
      }
      case Op.SC_W, Op.SC_D -> storeConditional(op, size, ask);
      case Op.AMOSWAP_W, Op.AMOSWAP_D -> exchange(op, size, 0, ask);
      case Op.AMOADD_W, Op.AMOADD_D -> exchange(op, size, ADD, ask);
      case Op.AMOXOR_W, Op.AMOXOR_D -> exchange(op, size, XOR, ask);
      case Op.AMOAND_W, Op.AMOAND_D -> exchange(op, size, AND, ask);
      case Op.AMOOR_W, Op.AMOOR_D -> exchange(op, size, OR, ask);
      default -> a.jump(ask);
    }
  }

  /** The physical address of the host address in RAX into RDX. */
  private void physical() {
    a.ra(MOV, true, RDX, places.state(Layout.TO_PHYSICAL));
    a.rr(ADD, true, RDX, RAX);
  }

  /** Stores what the operation makes of the old value, if any, and of the second source. */
  private void exchange(long op, int size, int operation, Label ask) {
    boolean wide = size == 8;
    translate(R15, size, ask);
    a.rm(wide ? MOV : MOVSXD, true, RCX, RAX, 0);
    guest.load(RDX, Op.rs2(op));
    if (operation != 0) {
      a.rr(operation, true, RDX, RCX);
    }
    a.rm(STORE, wide, RDX, RAX, 0);
    guest.store(Op.rd(op), RCX);
  }

  private void storeConditional(long op, int size, Label ask) {
    Label fails = new Label();
    translate(R15, size, ask);
    physical();
    a.constant(RCX, 1);
    a.ra(CMP, true, RDX, places.state(Layout.RESERVATION));
    a.jumpIf(NOT_EQUAL, fails);
    guest.load(RDX, Op.rs2(op));
    a.rm(STORE, size == 8, RDX, RAX, 0);
    a.constant(RCX, 0);
    a.bind(fails);
    a.storeMinusOne(places.state(Layout.RESERVATION));
    guest.store(Op.rd(op), RCX);
  }
}
