package io.lockstep.vm.isa.fp;

import static io.lockstep.vm.isa.fp.FpEnv.NV;
import static io.lockstep.vm.isa.fp.FpEnv.NX;
import static io.lockstep.vm.isa.fp.FpEnv.RNE;
import static java.lang.Double.doubleToRawLongBits;
import static java.lang.Double.longBitsToDouble;

/**
 * Operations of the D extension on binary64 bit patterns.
 *
 * <p>{@code rm} is a resolved rounding mode, {@link FpEnv#RNE} to {@link FpEnv#RMM}; reserved and
 * dynamic encodings are the caller's business. Flags are or-ed into {@code env}. Nothing here
 * throws. Integers come and go as the contents of a 64-bit x register.
 *
 * <p>The public methods are kept small for HotSpot to inline them; what is rare is out of line.
 */
public final class Fp64 {
  /** The canonical NaN. */
  public static final long CANONICAL_NAN = 0x7ff8_0000_0000_0000L;

  private static final long SIGN = Long.MIN_VALUE;
  private static final long MAGNITUDE = Long.MAX_VALUE;
  private static final long INFINITY = 0x7ff0_0000_0000_0000L;
  private static final long QUIET = 0x0008_0000_0000_0000L;

  /**
   * The magnitude above the smallest normal number. From here on a rounded result was no smaller
   * than a normal number before it was rounded, so it can't have underflowed.
   */
  private static final long ABOVE_TINY = 0x0010_0000_0000_0001L;

  /**
   * The rounding error of a product (or remainder of a division) of at least this size is a
   * multiple of the smallest subnormal number: about 106 bits below 2^-900 are still above 2^-1074.
   */
  private static final double EXACT_RESIDUAL = 0x1p-900;

  private Fp64() {}

  /** {@code fadd.d}. */
  public static long add(long a, long b, int rm, FpEnv env) {
    double x = longBitsToDouble(a);
    double y = longBitsToDouble(b);
    double r = x + y;
    // A sum in the subnormal range is always exact, so there is only overflow to rule out.
    if (rm == RNE && Math.abs(r) <= Double.MAX_VALUE) {
      if ((env.flags & NX) == 0 && !isExactSum(x, y, r)) {
        env.flags |= NX;
      }
      return doubleToRawLongBits(r);
    }
    return SoftFloat.add(Format.BINARY64, a, b, rm, env);
  }

  /** {@code fsub.d}. */
  public static long sub(long a, long b, int rm, FpEnv env) {
    double x = longBitsToDouble(a);
    double y = longBitsToDouble(b);
    double r = x - y;
    if (rm == RNE && Math.abs(r) <= Double.MAX_VALUE) {
      if ((env.flags & NX) == 0 && !isExactSum(x, -y, r)) {
        env.flags |= NX;
      }
      return doubleToRawLongBits(r);
    }
    return SoftFloat.add(Format.BINARY64, a, b ^ SIGN, rm, env);
  }

  /** {@code fmul.d}. */
  public static long mul(long a, long b, int rm, FpEnv env) {
    double x = longBitsToDouble(a);
    double y = longBitsToDouble(b);
    double r = x * y;
    long bits = doubleToRawLongBits(r);
    if (rm == RNE && isOrdinary(bits)) {
      if ((env.flags & NX) != 0) {
        return bits;
      }
      if (Math.abs(r) >= EXACT_RESIDUAL) {
        if (Math.fma(x, y, -r) != 0) {
          env.flags |= NX;
        }
        return bits;
      }
    }
    return SoftFloat.mul(Format.BINARY64, a, b, rm, env);
  }

  /** {@code fdiv.d}. */
  public static long div(long a, long b, int rm, FpEnv env) {
    double x = longBitsToDouble(a);
    double y = longBitsToDouble(b);
    double r = x / y;
    long bits = doubleToRawLongBits(r);
    if (rm == RNE && isOrdinary(bits)) {
      if ((env.flags & NX) != 0) {
        return bits;
      }
      if (Math.abs(x) >= EXACT_RESIDUAL) {
        if (Math.fma(r, y, -x) != 0) {
          env.flags |= NX;
        }
        return bits;
      }
    }
    return SoftFloat.div(Format.BINARY64, a, b, rm, env);
  }

  /** {@code fsqrt.d}. */
  public static long sqrt(long a, int rm, FpEnv env) {
    double x = longBitsToDouble(a);
    if (rm == RNE && x >= EXACT_RESIDUAL && x <= Double.MAX_VALUE) {
      double r = Math.sqrt(x);
      if ((env.flags & NX) == 0 && Math.fma(r, r, -x) != 0) {
        env.flags |= NX;
      }
      return doubleToRawLongBits(r);
    }
    return SoftFloat.sqrt(Format.BINARY64, a, rm, env);
  }

  /** {@code fmadd.d}: {@code a × b + c}. */
  public static long fma(long a, long b, long c, int rm, FpEnv env) {
    double x = longBitsToDouble(a);
    double y = longBitsToDouble(b);
    double z = longBitsToDouble(c);
    double r = Math.fma(x, y, z);
    long bits = doubleToRawLongBits(r);
    if (rm == RNE && isOrdinary(bits) && ((env.flags & NX) != 0 || isExactFma(x, y, z))) {
      return bits;
    }
    return SoftFloat.fma(Format.BINARY64, a, b, c, rm, env);
  }

  /** {@code fmsub.d}: {@code a × b - c}. */
  public static long fmsub(long a, long b, long c, int rm, FpEnv env) {
    return fma(a, b, c ^ SIGN, rm, env);
  }

  /** {@code fnmsub.d}: {@code -(a × b) + c}. */
  public static long fnmsub(long a, long b, long c, int rm, FpEnv env) {
    return fma(a ^ SIGN, b, c, rm, env);
  }

  /** {@code fnmadd.d}: {@code -(a × b) - c}. */
  public static long fnmadd(long a, long b, long c, int rm, FpEnv env) {
    return fma(a ^ SIGN, b, c ^ SIGN, rm, env);
  }

  /** {@code fmin.d}: minimumNumber of IEEE 754-2019 §9.6, with -0 below +0. */
  public static long min(long a, long b, FpEnv env) {
    if (isNan(a) || isNan(b)) {
      return theNumber(a, b, env);
    }
    return orderKey(a) <= orderKey(b) ? a : b;
  }

  /** {@code fmax.d}: maximumNumber of IEEE 754-2019 §9.6, with -0 below +0. */
  public static long max(long a, long b, FpEnv env) {
    if (isNan(a) || isNan(b)) {
      return theNumber(a, b, env);
    }
    return orderKey(a) >= orderKey(b) ? a : b;
  }

  /** {@code feq.d}: 1 or 0; only a signaling NaN raises NV. */
  public static long eq(long a, long b, FpEnv env) {
    if (longBitsToDouble(a) == longBitsToDouble(b)) {
      return 1;
    }
    raiseIfSignaling(a, b, env);
    return 0;
  }

  /** {@code flt.d}: 1 or 0; any NaN raises NV. */
  public static long lt(long a, long b, FpEnv env) {
    if (longBitsToDouble(a) < longBitsToDouble(b)) {
      return 1;
    }
    raiseIfNan(a, b, env);
    return 0;
  }

  /** {@code fle.d}: 1 or 0; any NaN raises NV. */
  public static long le(long a, long b, FpEnv env) {
    if (longBitsToDouble(a) <= longBitsToDouble(b)) {
      return 1;
    }
    raiseIfNan(a, b, env);
    return 0;
  }

  /** {@code fsgnj.d}: {@code a} with the sign of {@code b}. */
  public static long sgnj(long a, long b) {
    return (a & MAGNITUDE) | (b & SIGN);
  }

  /** {@code fsgnjn.d}: {@code a} with the opposite of the sign of {@code b}. */
  public static long sgnjn(long a, long b) {
    return (a & MAGNITUDE) | (~b & SIGN);
  }

  /** {@code fsgnjx.d}: {@code a} with its sign flipped if {@code b} is negative. */
  public static long sgnjx(long a, long b) {
    return a ^ (b & SIGN);
  }

  /** {@code fclass.d}: one bit of ten, as the table in the "F" chapter numbers them. */
  public static long classify(long a) {
    return Classify.classify(Format.BINARY64, a);
  }

  /** {@code fcvt.w.d}. */
  public static long toI32(long a, int rm, FpEnv env) {
    return ToInteger.toI32(longBitsToDouble(a), rm, env);
  }

  /** {@code fcvt.wu.d}; the 32-bit result is sign-extended, as in the x register. */
  public static long toU32(long a, int rm, FpEnv env) {
    return ToInteger.toU32(longBitsToDouble(a), rm, env);
  }

  /** {@code fcvt.l.d}. */
  public static long toI64(long a, int rm, FpEnv env) {
    return ToInteger.toI64(longBitsToDouble(a), rm, env);
  }

  /** {@code fcvt.lu.d}. */
  public static long toU64(long a, int rm, FpEnv env) {
    return ToInteger.toU64(longBitsToDouble(a), rm, env);
  }

  /** {@code fcvt.d.w}, always exact; takes the low 32 bits. */
  public static long fromI32(long i) {
    return doubleToRawLongBits((int) i);
  }

  /** {@code fcvt.d.wu}, always exact; takes the low 32 bits. */
  public static long fromU32(long i) {
    return doubleToRawLongBits((double) (i & 0xffff_ffffL));
  }

  /** {@code fcvt.d.l}. */
  public static long fromI64(long i, int rm, FpEnv env) {
    double r = (double) i;
    if ((long) r == i && i != Long.MAX_VALUE) {
      return doubleToRawLongBits(r);
    }
    return SoftFloat.fromInteger(Format.BINARY64, i < 0, Math.abs(i), rm, env);
  }

  /** {@code fcvt.d.lu}. */
  public static long fromU64(long i, int rm, FpEnv env) {
    if (i >= 0) {
      return fromI64(i, rm, env);
    }
    return SoftFloat.fromInteger(Format.BINARY64, false, i, rm, env);
  }

  /** {@code fcvt.d.s}, from raw binary32 bits (already unboxed); exact. */
  public static long fromF32(int a, FpEnv env) {
    float x = Float.intBitsToFloat(a);
    if (Float.isNaN(x)) {
      Fp32.raiseIfSignaling(a, a, env);
      return CANONICAL_NAN;
    }
    return doubleToRawLongBits(x);
  }

  /** Whether a result is finite and so far from zero that rounding it cannot have underflowed. */
  private static boolean isOrdinary(long bits) {
    return Long.compareUnsigned((bits & MAGNITUDE) - ABOVE_TINY, INFINITY - ABOVE_TINY) < 0;
  }

  /**
   * Whether {@code r}, the rounded sum and finite, is exact. Knuth's two-sum finds the error,
   * always exactly unless an intermediate result overflows; but then the sum was not exact, and the
   * error comes out as a NaN.
   */
  static boolean isExactSum(double x, double y, double r) {
    double y1 = r - x;
    double x1 = r - y1;
    return (x - x1) + (y - y1) == 0;
  }

  /**
   * Whether {@code x × y + z} can be shown exact at small cost: product and sum both are. A {@code
   * false} proves nothing.
   */
  private static boolean isExactFma(double x, double y, double z) {
    double product = x * y;
    double size = Math.abs(product);
    return size >= EXACT_RESIDUAL
        && size <= Double.MAX_VALUE
        && Math.fma(x, y, -product) == 0
        && isExactSum(product, z, product + z);
  }

  private static boolean isNan(long bits) {
    return (bits & MAGNITUDE) > INFINITY;
  }

  private static boolean isSignalingNan(long bits) {
    return isNan(bits) && (bits & QUIET) == 0;
  }

  /** Maps the bits of numbers to integers in the same order. */
  private static long orderKey(long bits) {
    return bits ^ ((bits >> 63) & MAGNITUDE);
  }

  /** Result of min and max when one operand is a NaN: the other one, which may be a NaN too. */
  private static long theNumber(long a, long b, FpEnv env) {
    raiseIfSignaling(a, b, env);
    if (!isNan(a)) {
      return a;
    }
    return isNan(b) ? CANONICAL_NAN : b;
  }

  private static void raiseIfNan(long a, long b, FpEnv env) {
    if (isNan(a) || isNan(b)) {
      env.flags |= NV;
    }
  }

  private static void raiseIfSignaling(long a, long b, FpEnv env) {
    if (isSignalingNan(a) || isSignalingNan(b)) {
      env.flags |= NV;
    }
  }
}
