package io.lockstep.vm.isa.fp;

import static io.lockstep.vm.isa.fp.FpEnv.NV;
import static io.lockstep.vm.isa.fp.FpEnv.NX;
import static io.lockstep.vm.isa.fp.FpEnv.RNE;
import static java.lang.Float.floatToRawIntBits;
import static java.lang.Float.intBitsToFloat;

/**
 * Operations of the F extension on binary32 bit patterns.
 *
 * <p>Operands and results are raw: use {@link #unbox} and {@link #box} between them and 64-bit f
 * registers. Otherwise the conventions are those of {@link Fp64}. A product of two binary32 numbers
 * is exact in binary64, which makes inexact results easy to find.
 */
public final class Fp32 {
  /** The canonical NaN. */
  public static final int CANONICAL_NAN = 0x7fc0_0000;

  private static final int SIGN = Integer.MIN_VALUE;
  private static final int MAGNITUDE = Integer.MAX_VALUE;
  private static final int INFINITY = 0x7f80_0000;
  private static final int QUIET = 0x0040_0000;
  private static final long BOX = 0xffff_ffff_0000_0000L;

  /** The magnitude above the smallest normal number; see {@link Fp64}. */
  private static final int ABOVE_TINY = 0x0080_0001;

  private Fp32() {}

  /** Puts a binary32 number into a 64-bit f register ("D" extension, "NaN Boxing"). */
  public static long box(int bits) {
    return BOX | (bits & ~BOX);
  }

  /** Takes a binary32 number out of an f register; what isn't properly boxed is a canonical NaN. */
  public static int unbox(long register) {
    return (int) (register >> 32) == -1 ? (int) register : CANONICAL_NAN;
  }

  /** {@code fadd.s}. */
  public static int add(int a, int b, int rm, FpEnv env) {
    float x = intBitsToFloat(a);
    float y = intBitsToFloat(b);
    float r = x + y;
    // A sum in the subnormal range is always exact, so there is only overflow to rule out.
    if (rm == RNE && Math.abs(r) <= Float.MAX_VALUE) {
      if ((env.flags & NX) == 0 && !isExactSum(x, y, r)) {
        env.flags |= NX;
      }
      return floatToRawIntBits(r);
    }
    return (int) SoftFloat.add(Format.BINARY32, wide(a), wide(b), rm, env);
  }

  /** {@code fsub.s}. */
  public static int sub(int a, int b, int rm, FpEnv env) {
    return add(a, b ^ SIGN, rm, env);
  }

  /** {@code fmul.s}. */
  public static int mul(int a, int b, int rm, FpEnv env) {
    float x = intBitsToFloat(a);
    float y = intBitsToFloat(b);
    float r = x * y;
    int bits = floatToRawIntBits(r);
    if (rm == RNE && isOrdinary(bits)) {
      if ((env.flags & NX) == 0 && (double) x * y != r) {
        env.flags |= NX;
      }
      return bits;
    }
    return (int) SoftFloat.mul(Format.BINARY32, wide(a), wide(b), rm, env);
  }

  /** {@code fdiv.s}. */
  public static int div(int a, int b, int rm, FpEnv env) {
    float x = intBitsToFloat(a);
    float y = intBitsToFloat(b);
    float r = x / y;
    int bits = floatToRawIntBits(r);
    if (rm == RNE && isOrdinary(bits)) {
      if ((env.flags & NX) == 0 && (double) r * y != x) {
        env.flags |= NX;
      }
      return bits;
    }
    return (int) SoftFloat.div(Format.BINARY32, wide(a), wide(b), rm, env);
  }

  /** {@code fsqrt.s}. */
  public static int sqrt(int a, int rm, FpEnv env) {
    float x = intBitsToFloat(a);
    if (rm == RNE && x >= 0 && x <= Float.MAX_VALUE) {
      // Rounding twice, to 53 bits and to 24, does no harm to a square root: 53 ≥ 2 × 24 + 2.
      float r = (float) Math.sqrt(x);
      if ((env.flags & NX) == 0 && (double) r * r != x) {
        env.flags |= NX;
      }
      return floatToRawIntBits(r);
    }
    return (int) SoftFloat.sqrt(Format.BINARY32, wide(a), rm, env);
  }

  /** {@code fmadd.s}: {@code a × b + c}. */
  public static int fma(int a, int b, int c, int rm, FpEnv env) {
    float x = intBitsToFloat(a);
    float y = intBitsToFloat(b);
    float z = intBitsToFloat(c);
    float r = Math.fma(x, y, z);
    int bits = floatToRawIntBits(r);
    if (rm == RNE && isOrdinary(bits)) {
      if ((env.flags & NX) == 0 && !isExactFma(x, y, z, r)) {
        env.flags |= NX;
      }
      return bits;
    }
    return (int) SoftFloat.fma(Format.BINARY32, wide(a), wide(b), wide(c), rm, env);
  }

  /** {@code fmsub.s}: {@code a × b - c}. */
  public static int fmsub(int a, int b, int c, int rm, FpEnv env) {
    return fma(a, b, c ^ SIGN, rm, env);
  }

  /** {@code fnmsub.s}: {@code -(a × b) + c}. */
  public static int fnmsub(int a, int b, int c, int rm, FpEnv env) {
    return fma(a ^ SIGN, b, c, rm, env);
  }

  /** {@code fnmadd.s}: {@code -(a × b) - c}. */
  public static int fnmadd(int a, int b, int c, int rm, FpEnv env) {
    return fma(a ^ SIGN, b, c ^ SIGN, rm, env);
  }

  /** {@code fmin.s}: minimumNumber of IEEE 754-2019 §9.6, with -0 below +0. */
  public static int min(int a, int b, FpEnv env) {
    if (isNan(a) || isNan(b)) {
      return theNumber(a, b, env);
    }
    return orderKey(a) <= orderKey(b) ? a : b;
  }

  /** {@code fmax.s}: maximumNumber of IEEE 754-2019 §9.6, with -0 below +0. */
  public static int max(int a, int b, FpEnv env) {
    if (isNan(a) || isNan(b)) {
      return theNumber(a, b, env);
    }
    return orderKey(a) >= orderKey(b) ? a : b;
  }

  /** {@code feq.s}: 1 or 0; only a signaling NaN raises NV. */
  public static long eq(int a, int b, FpEnv env) {
    if (intBitsToFloat(a) == intBitsToFloat(b)) {
      return 1;
    }
    raiseIfSignaling(a, b, env);
    return 0;
  }

  /** {@code flt.s}: 1 or 0; any NaN raises NV. */
  public static long lt(int a, int b, FpEnv env) {
    if (intBitsToFloat(a) < intBitsToFloat(b)) {
      return 1;
    }
    raiseIfNan(a, b, env);
    return 0;
  }

  /** {@code fle.s}: 1 or 0; any NaN raises NV. */
  public static long le(int a, int b, FpEnv env) {
    if (intBitsToFloat(a) <= intBitsToFloat(b)) {
      return 1;
    }
    raiseIfNan(a, b, env);
    return 0;
  }

  /** {@code fsgnj.s}: {@code a} with the sign of {@code b}. */
  public static int sgnj(int a, int b) {
    return (a & MAGNITUDE) | (b & SIGN);
  }

  /** {@code fsgnjn.s}: {@code a} with the opposite of the sign of {@code b}. */
  public static int sgnjn(int a, int b) {
    return (a & MAGNITUDE) | (~b & SIGN);
  }

  /** {@code fsgnjx.s}: {@code a} with its sign flipped if {@code b} is negative. */
  public static int sgnjx(int a, int b) {
    return a ^ (b & SIGN);
  }

  /** {@code fclass.s}: one bit of ten, as the table in the "F" chapter numbers them. */
  public static long classify(int a) {
    return Classify.classify(Format.BINARY32, wide(a));
  }

  /** {@code fcvt.w.s}. */
  public static long toI32(int a, int rm, FpEnv env) {
    return ToInteger.toI32(intBitsToFloat(a), rm, env);
  }

  /** {@code fcvt.wu.s}; the 32-bit result is sign-extended, as in the x register. */
  public static long toU32(int a, int rm, FpEnv env) {
    return ToInteger.toU32(intBitsToFloat(a), rm, env);
  }

  /** {@code fcvt.l.s}. */
  public static long toI64(int a, int rm, FpEnv env) {
    return ToInteger.toI64(intBitsToFloat(a), rm, env);
  }

  /** {@code fcvt.lu.s}. */
  public static long toU64(int a, int rm, FpEnv env) {
    return ToInteger.toU64(intBitsToFloat(a), rm, env);
  }

  /** {@code fcvt.s.w}; takes the low 32 bits. */
  public static int fromI32(long i, int rm, FpEnv env) {
    int low = (int) i;
    return fromI64(low, rm, env);
  }

  /** {@code fcvt.s.wu}; takes the low 32 bits. */
  public static int fromU32(long i, int rm, FpEnv env) {
    return fromI64(i & 0xffff_ffffL, rm, env);
  }

  /** {@code fcvt.s.l}. */
  public static int fromI64(long i, int rm, FpEnv env) {
    float r = (float) i;
    if ((long) r == i && i != Long.MAX_VALUE) {
      return floatToRawIntBits(r);
    }
    return (int) SoftFloat.fromInteger(Format.BINARY32, i < 0, Math.abs(i), rm, env);
  }

  /** {@code fcvt.s.lu}. */
  public static int fromU64(long i, int rm, FpEnv env) {
    if (i >= 0) {
      return fromI64(i, rm, env);
    }
    return (int) SoftFloat.fromInteger(Format.BINARY32, false, i, rm, env);
  }

  /** {@code fcvt.s.d}, from binary64 bits. */
  public static int fromF64(long a, int rm, FpEnv env) {
    double x = Double.longBitsToDouble(a);
    float r = (float) x;
    int bits = floatToRawIntBits(r);
    if (rm == RNE && isOrdinary(bits)) {
      if (r != x) {
        env.flags |= NX;
      }
      return bits;
    }
    return (int) SoftFloat.narrow(a, rm, env);
  }

  static void raiseIfSignaling(int a, int b, FpEnv env) {
    if (isSignalingNan(a) || isSignalingNan(b)) {
      env.flags |= NV;
    }
  }

  private static void raiseIfNan(int a, int b, FpEnv env) {
    if (isNan(a) || isNan(b)) {
      env.flags |= NV;
    }
  }

  /** Whether a result is finite and so far from zero that rounding it cannot have underflowed. */
  private static boolean isOrdinary(int bits) {
    return Integer.compareUnsigned((bits & MAGNITUDE) - ABOVE_TINY, INFINITY - ABOVE_TINY) < 0;
  }

  /**
   * Whether {@code r}, the rounded sum and finite, is exact; the same two-sum as in {@link Fp64}.
   */
  private static boolean isExactSum(float x, float y, float r) {
    float y1 = r - x;
    float x1 = r - y1;
    return (x - x1) + (y - y1) == 0;
  }

  /** Whether {@code r}, the rounded {@code x × y + z} and finite, is exact. */
  private static boolean isExactFma(float x, float y, float z, float r) {
    double product = (double) x * y;
    double sum = product + z;
    // A sum that binary64 cannot hold is none that binary32 can hold.
    return sum == r && Fp64.isExactSum(product, z, sum);
  }

  private static boolean isNan(int bits) {
    return (bits & MAGNITUDE) > INFINITY;
  }

  private static boolean isSignalingNan(int bits) {
    return isNan(bits) && (bits & QUIET) == 0;
  }

  /** Maps the bits of numbers to integers in the same order. */
  private static int orderKey(int bits) {
    return bits ^ ((bits >> 31) & MAGNITUDE);
  }

  /** Result of min and max when one operand is a NaN: the other one, which may be a NaN too. */
  private static int theNumber(int a, int b, FpEnv env) {
    raiseIfSignaling(a, b, env);
    if (!isNan(a)) {
      return a;
    }
    return isNan(b) ? CANONICAL_NAN : b;
  }

  /** The bits as a non-negative long. */
  private static long wide(int bits) {
    return bits & 0xffff_ffffL;
  }
}
