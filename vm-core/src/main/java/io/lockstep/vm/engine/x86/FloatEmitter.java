package io.lockstep.vm.engine.x86;

import static io.lockstep.vm.engine.x86.Assembler.*;

import io.lockstep.vm.engine.x86.Assembler.Label;
import io.lockstep.vm.isa.Op;

/**
 * Emits floating point, for the common state: on, marked as changed, rounding to nearest. The
 * host's arithmetic is that of IEEE 754 as the guest's is, flags included (both detect tininess
 * after rounding); they gather in MXCSR and are given to the hart when the code returns.
 *
 * <p>Where the two differ the run loop does the operation ({@code ask}): results that are not a
 * number, conversions that overflow, singles that are not boxed. What the host has noted by then
 * the guest would note, too.
 */
final class FloatEmitter {
  private static final int DYNAMIC = 7;
  private static final int TO_NEAREST = 0;
  private static final int TRUNCATING = 1;
  private static final int DOWN = 2;
  private static final int UP = 3;

  /** Bits of 2^63 and 2^32 as doubles: what is at least that, negative or no number is above. */
  private static final long TWO_TO_63 = 0x43e0_0000_0000_0000L, TWO_TO_32 = 0x41f0_0000_0000_0000L;

  private final Assembler a;
  private final GuestRegisters guest;
  private final boolean fused;

  /** Makes one; {@code fused}: the host has FMA3. */
  FloatEmitter(Assembler a, GuestRegisters guest, boolean fused) {
    this.a = a;
    this.guest = guest;
    this.fused = fused;
  }

  /**
   * Emits an operation for which {@link #canEmit} holds.
   *
   * @param ask where the code goes to have the run loop do the operation instead
   */
  void emit(long op, Label ask) {
    int code = Op.code(op);
    switch (code) {
      case Op.FADD_D -> arithmetic(ADD_F, op, ask);
      case Op.FSUB_D -> arithmetic(SUB_F, op, ask);
      case Op.FMUL_D -> arithmetic(MUL_F, op, ask);
      case Op.FDIV_D -> arithmetic(DIV_F, op, ask);
      case Op.FADD_S -> arithmeticSingle(ADD_F, op, ask);
      case Op.FSUB_S -> arithmeticSingle(SUB_F, op, ask);
      case Op.FMUL_S -> arithmeticSingle(MUL_F, op, ask);
      case Op.FDIV_S -> arithmeticSingle(DIV_F, op, ask);
      case Op.FSQRT_D -> {
        a.rm(DOUBLE | SQRT_F, false, 0, RBP, at(Op.rs1(op)));
        storeNumber(Op.rd(op), ask);
      }
      case Op.FMADD_D -> fused(0xa9, op, ask);
      case Op.FMSUB_D -> fused(0xab, op, ask);
      case Op.FNMSUB_D -> fused(0xad, op, ask);
      case Op.FNMADD_D -> fused(0xaf, op, ask);
      case Op.FCVT_D_W -> fromInteger(op, false);
      case Op.FCVT_D_L -> fromLong(op, ask);
      case Op.FCVT_D_WU -> fromUnsignedWord(op);
      case Op.FCVT_S_D -> {
        a.rm(DOUBLE | CONVERT_F, false, 0, RBP, at(Op.rs1(op)));
        storeSingle(Op.rd(op), ask);
      }
      case Op.FCVT_D_S -> {
        requireBox(Op.rs1(op), ask);
        a.rm(SINGLE | CONVERT_F, false, 0, RBP, at(Op.rs1(op)));
        storeNumber(Op.rd(op), ask);
      }
      default -> emitExact(op, ask);
    }
  }

  /** Whether there is code for an operation. */
  boolean canEmit(long op) {
    int code = Op.code(op);
    int rounding = roundingOf(op);
    boolean ordinary = rounding == DYNAMIC || rounding == TO_NEAREST;
    return switch (code) {
      case Op.FADD_D, Op.FSUB_D, Op.FMUL_D, Op.FDIV_D, Op.FSQRT_D -> ordinary;
      case Op.FADD_S, Op.FSUB_S, Op.FMUL_S, Op.FDIV_S -> ordinary;
      case Op.FMADD_D, Op.FMSUB_D, Op.FNMSUB_D, Op.FNMADD_D -> ordinary && fused;
      case Op.FCVT_S_D -> ordinary;
      case Op.FCVT_D_L, Op.FCVT_D_W, Op.FCVT_D_WU, Op.FCVT_D_S -> true;
      case Op.FCVT_W_D -> ordinary || rounding == TRUNCATING;
      // What is not integral is small enough not to overflow after it was found to be inexact.
      case Op.FCVT_L_D ->
          ordinary || rounding == TRUNCATING || fused && (rounding == DOWN || rounding == UP);
      case Op.FCVT_WU_D -> rounding == TRUNCATING;
      case Op.FCVT_LU_D -> ordinary || rounding == TRUNCATING;
      case Op.FEQ_D, Op.FLT_D, Op.FLE_D, Op.FMV_X_D, Op.FMV_D_X, Op.FMV_X_W, Op.FMV_W_X -> true;
      case Op.FSGNJ_D, Op.FSGNJN_D, Op.FSGNJX_D -> true;
      default -> false;
    };
  }

  private void emitExact(long op, Label ask) {
    int rd = Op.rd(op);
    int rs1 = Op.rs1(op);
    int rs2 = Op.rs2(op);
    switch (Op.code(op)) {
      case Op.FCVT_W_D -> toInteger(op, false, ask);
      case Op.FCVT_L_D -> toInteger(op, true, ask);
      case Op.FEQ_D -> {
        a.rm(DOUBLE | LOAD_F, false, 0, RBP, at(rs1));
        a.rm(COMPARE_QUIET, false, 0, RBP, at(rs2));
        a.set(EQUAL, RAX);
        a.set(NO_PARITY, RCX);
        a.rr(AND, false, RAX, RCX);
        a.rr(MOVZX8, false, RAX, RAX);
        guest.store(rd, RAX);
      }
      case Op.FLT_D -> less(ABOVE, rd, rs1, rs2);
      case Op.FLE_D -> less(NOT_BELOW, rd, rs1, rs2);
      case Op.FMV_X_D, Op.FMV_D_X -> {
        guest.load(RAX, rs1);
        guest.store(rd, RAX);
      }
      case Op.FMV_X_W -> {
        guest.loadWord(RAX, rs1);
        guest.storeWord(rd, RAX);
      }
      case Op.FMV_W_X -> {
        guest.loadWord(RAX, rs1);
        a.rm(STORE, false, RAX, RBP, at(rd));
        a.storeConstant(4, RBP, at(rd) + 4, -1);
      }
      case Op.FSGNJ_D -> sign(op, 0);
      case Op.FSGNJN_D -> sign(op, 7);
      case Op.FSGNJX_D -> sign(op, 6);
      case Op.FCVT_LU_D -> toUnsigned(op, TWO_TO_63, ask);
      case Op.FCVT_WU_D -> toUnsigned(op, TWO_TO_32, ask);
      default -> throw new IllegalArgumentException(Op.name(Op.code(op)));
    }
  }

  private static int roundingOf(long op) {
    return (int) Op.imm(op) & 7;
  }

  private static int at(int register) {
    return GuestRegisters.displacement(register);
  }

  private void arithmetic(int operation, long op, Label ask) {
    a.rm(DOUBLE | LOAD_F, false, 0, RBP, at(Op.rs1(op)));
    a.rm(DOUBLE | operation, false, 0, RBP, at(Op.rs2(op)));
    storeNumber(Op.rd(op), ask);
  }

  private void fused(int opcode, long op, Label ask) {
    a.rm(DOUBLE | LOAD_F, false, 0, RBP, at(Op.rs1(op)));
    a.rm(DOUBLE | LOAD_F, false, 1, RBP, at(Op.rs2(op)));
    a.fused(opcode, true, 0, 1, RBP, at((int) (op >>> 40) & 0xff));
    storeNumber(Op.rd(op), ask);
  }

  private void storeNumber(int rd, Label ask) {
    a.rr(COMPARE_QUIET, false, 0, 0);
    a.jumpIf(PARITY, ask);
    a.rm(DOUBLE | STORE_F, false, 0, RBP, at(rd));
  }

  private void arithmeticSingle(int operation, long op, Label ask) {
    requireBox(Op.rs1(op), ask);
    requireBox(Op.rs2(op), ask);
    a.rm(SINGLE | LOAD_F, false, 0, RBP, at(Op.rs1(op)));
    a.rm(SINGLE | operation, false, 0, RBP, at(Op.rs2(op)));
    storeSingle(Op.rd(op), ask);
  }

  /** A single in a register for doubles has only ones above it, or it counts as no number. */
  private void requireBox(int register, Label ask) {
    a.compareWord(RBP, at(register) + 4, -1);
    a.jumpIf(NOT_EQUAL, ask);
  }

  private void storeSingle(int rd, Label ask) {
    a.rr(COMPARE_QUIET_SINGLE, false, 0, 0);
    a.jumpIf(PARITY, ask);
    a.rm(SINGLE | STORE_F, false, 0, RBP, at(rd));
    a.storeConstant(4, RBP, at(rd) + 4, -1);
  }

  private void fromInteger(long op, boolean wide) {
    // The conversion leaves the upper half of its register alone, and would wait for it.
    a.rr(XORPS, false, 0, 0);
    guest.load(RAX, Op.rs1(op));
    a.rr(DOUBLE | FROM_INTEGER, wide, 0, RAX);
    a.rm(DOUBLE | STORE_F, false, 0, RBP, at(Op.rd(op)));
  }

  private void fromUnsignedWord(long op) {
    a.rr(XORPS, false, 0, 0);
    guest.loadWord(RAX, Op.rs1(op));
    a.rr(DOUBLE | FROM_INTEGER, true, 0, RAX);
    a.rm(DOUBLE | STORE_F, false, 0, RBP, at(Op.rd(op)));
  }

  /** Exact, whatever the rounding mode, up to 53 bits; else that of the present mode. */
  private void fromLong(long op, Label ask) {
    int rounding = roundingOf(op);
    if (rounding != DYNAMIC && rounding != TO_NEAREST) {
      guest.load(RCX, Op.rs1(op));
      a.constant(RAX, 1L << 53);
      a.rr(ADD, true, RCX, RAX);
      a.shift(SHR, true, RCX, 54);
      a.rr(TEST, true, RCX, RCX);
      a.jumpIf(NOT_EQUAL, ask);
    }
    fromInteger(op, true);
  }

  /** Below the limit an unsigned conversion is the host's signed one. */
  private void toUnsigned(long op, long limit, Label ask) {
    int how = roundingOf(op) == TRUNCATING ? TO_INTEGER_TRUNCATING : TO_INTEGER;
    guest.load(RAX, Op.rs1(op));
    a.constant(RCX, limit);
    a.rr(CMP, true, RAX, RCX);
    a.jumpIf(NOT_BELOW, ask);
    a.rm(DOUBLE | how, true, RAX, RBP, at(Op.rs1(op)));
    if (limit == TWO_TO_63) {
      guest.store(Op.rd(op), RAX);
    } else {
      guest.storeWord(Op.rd(op), RAX);
    }
  }

  /** What does not fit becomes the smallest integer, which then may be right or not. */
  private void toInteger(long op, boolean wide, Label ask) {
    int rounding = roundingOf(op);
    if (rounding == DOWN || rounding == UP) {
      a.round(0, RBP, at(Op.rs1(op)), rounding - 1);
      a.rr(DOUBLE | TO_INTEGER_TRUNCATING, wide, RAX, 0);
    } else {
      int how = rounding == TRUNCATING ? TO_INTEGER_TRUNCATING : TO_INTEGER;
      a.rm(DOUBLE | how, wide, RAX, RBP, at(Op.rs1(op)));
    }
    a.constant(RCX, wide ? Long.MIN_VALUE : Integer.MIN_VALUE & 0xffff_ffffL);
    a.rr(CMP, wide, RAX, RCX);
    a.jumpIf(EQUAL, ask);
    if (wide) {
      guest.store(Op.rd(op), RAX);
    } else {
      guest.storeWord(Op.rd(op), RAX);
    }
  }

  /** The second compared with the first: then what is not ordered counts as below. */
  private void less(int condition, int rd, int rs1, int rs2) {
    a.rm(DOUBLE | LOAD_F, false, 0, RBP, at(rs2));
    a.rm(COMPARE, false, 0, RBP, at(rs1));
    a.set(condition, RAX);
    a.rr(MOVZX8, false, RAX, RAX);
    guest.store(rd, RAX);
  }

  /**
   * The first source with the second one's sign (0), its complement (7), or that of their product
   * (6); with one source for both: what this operation on the sign bit does.
   */
  private void sign(long op, int bitOperation) {
    guest.load(RAX, Op.rs1(op));
    if (Op.rs1(op) != Op.rs2(op)) {
      guest.load(RCX, Op.rs2(op));
      if (bitOperation == 7) {
        a.unary(NOT, true, RCX);
      }
      a.shift(SHR, true, RCX, 63);
      a.shift(SHL, true, RCX, 63);
      if (bitOperation != 6) {
        a.bit(6, RAX, 63);
      }
      a.rr(XOR, true, RAX, RCX);
    } else if (bitOperation != 0) {
      a.bit(bitOperation, RAX, 63);
    }
    guest.store(Op.rd(op), RAX);
  }
}
