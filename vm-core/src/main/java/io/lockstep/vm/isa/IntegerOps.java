package io.lockstep.vm.isa;

/**
 * The less frequent integer operations: M, Zba, Zbb, Zbc, Zbs, Zicond. Pure functions of registers.
 */
public final class IntegerOps {
  private IntegerOps() {}

  /** Runs one operation on the register array. The operation must be one of these extensions. */
  public static void execute(long op, long[] x) {
    x[Op.rd(op)] = compute(op, x[Op.rs1(op)], x[Op.rs2(op)]);
  }

  /** The result of an operation of these extensions on the contents of its source registers. */
  public static long compute(long op, long a, long b) {
    int code = Op.code(op);
    return code <= Op.REMUW ? multiplyDivide(code, a, b) : bits(code, a, b, (int) Op.imm(op));
  }

  /** M: division by zero gives all ones and the dividend; overflow wraps (RISC-V Unpriv. §13.2). */
  @SuppressWarnings({"NarrowCalculation", "UnnecessaryLongToIntConversion"})
  private static long multiplyDivide(int code, long a, long b) {
    return switch (code) {
      case Op.MULH -> Math.multiplyHigh(a, b);
      case Op.MULHU -> Math.unsignedMultiplyHigh(a, b);
      case Op.MULHSU -> Math.multiplyHigh(a, b) + (b < 0 ? a : 0);
      case Op.DIV -> divide(a, b);
      case Op.DIVU -> b == 0 ? -1 : Long.divideUnsigned(a, b);
      case Op.REM -> remainder(a, b);
      case Op.REMU -> b == 0 ? a : Long.remainderUnsigned(a, b);
      case Op.DIVW -> (int) divide((int) a, (int) b);
      case Op.DIVUW -> (int) b == 0 ? -1 : Integer.divideUnsigned((int) a, (int) b);
      case Op.REMW -> (int) remainder((int) a, (int) b);
      case Op.REMUW -> (int) b == 0 ? (int) a : Integer.remainderUnsigned((int) a, (int) b);
      case Op.MULW -> (int) a * (int) b;
      default -> a * b;
    };
  }

  /** DIV: also for the result of DIVW when its low half is taken. */
  public static long divide(long a, long b) {
    return b == 0 ? -1 : a / b;
  }

  /** REM. */
  public static long remainder(long a, long b) {
    return b == 0 ? a : a % b;
  }

  private static long bits(int code, long a, long b, int imm) {
    return code >= Op.BCLR
        ? single(code, a, b, imm)
        : code <= Op.SLLI_UW ? address(code, a, b, imm) : basic(code, a, b, imm);
  }

  private static long address(int code, long a, long b, int imm) {
    long low = a & 0xffff_ffffL;
    return switch (code) {
      case Op.SH1ADD -> (a << 1) + b;
      case Op.SH2ADD -> (a << 2) + b;
      case Op.SH3ADD -> (a << 3) + b;
      case Op.ADD_UW -> low + b;
      case Op.SH1ADD_UW -> (low << 1) + b;
      case Op.SH2ADD_UW -> (low << 2) + b;
      case Op.SH3ADD_UW -> (low << 3) + b;
      default -> low << imm;
    };
  }

  private static long basic(int code, long a, long b, int imm) {
    return switch (code) {
      case Op.ANDN -> a & ~b;
      case Op.ORN -> a | ~b;
      case Op.XNOR -> ~(a ^ b);
      case Op.CLZ -> Long.numberOfLeadingZeros(a);
      case Op.CTZ -> Long.numberOfTrailingZeros(a);
      case Op.CPOP -> Long.bitCount(a);
      case Op.CLZW -> Integer.numberOfLeadingZeros((int) a);
      case Op.CTZW -> Integer.numberOfTrailingZeros((int) a);
      case Op.CPOPW -> Integer.bitCount((int) a);
      case Op.MAX -> Math.max(a, b);
      case Op.MAXU -> Long.compareUnsigned(a, b) > 0 ? a : b;
      case Op.MIN -> Math.min(a, b);
      case Op.MINU -> Long.compareUnsigned(a, b) < 0 ? a : b;
      case Op.SEXT_B -> (byte) a;
      case Op.SEXT_H -> (short) a;
      case Op.ZEXT_H -> a & 0xffff;
      case Op.ROL -> Long.rotateLeft(a, (int) b);
      case Op.ROLW -> Integer.rotateLeft((int) a, (int) b);
      case Op.ROR -> Long.rotateRight(a, (int) b);
      case Op.RORW -> Integer.rotateRight((int) a, (int) b);
      case Op.RORI -> Long.rotateRight(a, imm);
      case Op.RORIW -> Integer.rotateRight((int) a, imm);
      case Op.ORC_B -> orCombine(a);
      default -> Long.reverseBytes(a);
    };
  }

  /** ORC.B: each byte that is not zero becomes 255. */
  public static long orCombine(long a) {
    long lowBits = (a & 0x7f7f_7f7f_7f7f_7f7fL) + 0x7f7f_7f7f_7f7f_7f7fL;
    long nonZero = (lowBits | a) >>> 7 & 0x0101_0101_0101_0101L;
    return nonZero * 0xff;
  }

  private static long single(int code, long a, long b, int imm) {
    return switch (code) {
      case Op.BCLR -> a & ~(1L << b);
      case Op.BCLRI -> a & ~(1L << imm);
      case Op.BEXT -> a >>> b & 1;
      case Op.BEXTI -> a >>> imm & 1;
      case Op.BINV -> a ^ 1L << b;
      case Op.BINVI -> a ^ 1L << imm;
      case Op.BSET -> a | 1L << b;
      case Op.BSETI -> a | 1L << imm;
      case Op.CLMUL -> carryLess(a, b);
      case Op.CLMULH -> carryLessReversed(a, b) >>> 1;
      case Op.CLMULR -> carryLessReversed(a, b);
      case Op.CZERO_EQZ -> b == 0 ? 0 : a;
      default -> b != 0 ? 0 : a;
    };
  }

  private static long carryLess(long a, long b) {
    long product = 0;
    for (int i = 0; i < 64; i++) {
      product ^= (b >>> i & 1) != 0 ? a << i : 0;
    }
    return product;
  }

  /** CLMULR: the product of the bit-reversed factors, reversed. */
  private static long carryLessReversed(long a, long b) {
    return Long.reverse(carryLess(Long.reverse(a), Long.reverse(b)));
  }
}
