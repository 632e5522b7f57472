package io.lockstep.vm.isa.fp;

import static io.lockstep.vm.isa.fp.FpEnv.DZ;
import static io.lockstep.vm.isa.fp.FpEnv.NV;
import static io.lockstep.vm.isa.fp.FpEnv.NX;
import static io.lockstep.vm.isa.fp.FpEnv.OF;
import static io.lockstep.vm.isa.fp.FpEnv.RDN;
import static io.lockstep.vm.isa.fp.FpEnv.RNE;
import static io.lockstep.vm.isa.fp.FpEnv.RTZ;
import static io.lockstep.vm.isa.fp.FpEnv.RUP;
import static io.lockstep.vm.isa.fp.FpEnv.UF;

/**
 * Exact floating-point arithmetic on integers, for every operand, rounding mode and flag.
 *
 * <p>A finite nonzero number is handled as {@code significand × 2^(exponent - 62)}, the leading one
 * of the significand in bit 62. That leaves at least ten bits below the last bit of a binary64
 * result. The lowest of them is <em>sticky</em>: it is set when anything nonzero was cut off below
 * it, which is all that rounding needs to know about the rest of an infinitely precise result.
 */
final class SoftFloat {
  private SoftFloat() {}

  static long add(Format f, long a, long b, int rm, FpEnv env) {
    if (f.isNan(a) || f.isNan(b)) {
      return nan(f, f.isSignalingNan(a) || f.isSignalingNan(b), env);
    }
    long magA = f.magnitude(a);
    long magB = f.magnitude(b);
    boolean subtract = f.isNegative(a ^ b);
    if (magA == f.infinity) {
      return subtract && magB == f.infinity ? nan(f, true, env) : a;
    }
    if (magA == 0 && magB == 0) {
      return subtract ? f.zero(rm == RDN) : a;
    }
    if (magA == 0 || magB == f.infinity) {
      return b;
    }
    if (magB == 0) {
      return a;
    }
    return magA >= magB ? addOrdered(f, a, b, rm, env) : addOrdered(f, b, a, rm, env);
  }

  /** Adds finite nonzero numbers, the magnitude of the first not below that of the second. */
  private static long addOrdered(Format f, long a, long b, int rm, FpEnv env) {
    long magA = f.magnitude(a);
    long magB = f.magnitude(b);
    int exponent = f.exponent(magA);
    long sigA = f.significand(magA);
    long sigB = shiftRightSticky(f.significand(magB), exponent - f.exponent(magB));
    long sum = f.isNegative(a ^ b) ? sigA - sigB : sigA + sigB;
    if (sum == 0) {
      return f.zero(rm == RDN);
    }
    return round(f, f.isNegative(a), exponent, sum, rm, env);
  }

  static long mul(Format f, long a, long b, int rm, FpEnv env) {
    if (f.isNan(a) || f.isNan(b)) {
      return nan(f, f.isSignalingNan(a) || f.isSignalingNan(b), env);
    }
    long magA = f.magnitude(a);
    long magB = f.magnitude(b);
    boolean negative = f.isNegative(a ^ b);
    if (magA == f.infinity || magB == f.infinity) {
      return magA == 0 || magB == 0 ? nan(f, true, env) : f.infinity(negative);
    }
    if (magA == 0 || magB == 0) {
      return f.zero(negative);
    }
    long sigA = f.significand(magA);
    long sigB = f.significand(magB);
    // The product is scaled by 2^-124; its high word alone by 2^-60.
    long product = Math.multiplyHigh(sigA, sigB) | sticky(sigA * sigB);
    return round(f, negative, f.exponent(magA) + f.exponent(magB) + 2, product, rm, env);
  }

  static long div(Format f, long a, long b, int rm, FpEnv env) {
    if (f.isNan(a) || f.isNan(b)) {
      return nan(f, f.isSignalingNan(a) || f.isSignalingNan(b), env);
    }
    long magA = f.magnitude(a);
    long magB = f.magnitude(b);
    boolean negative = f.isNegative(a ^ b);
    if (magA == magB && (magA == 0 || magA == f.infinity)) {
      return nan(f, true, env);
    }
    if (magA == 0 || magB == f.infinity) {
      return f.zero(negative);
    }
    if (magA == f.infinity) {
      return f.infinity(negative);
    }
    if (magB == 0) {
      env.flags |= DZ;
      return f.infinity(negative);
    }
    long quotient = quotient(f.significand(magA), f.significand(magB));
    return round(f, negative, f.exponent(magA) - f.exponent(magB) + 2, quotient, rm, env);
  }

  /** The quotient of two significands times 2^60, with its sticky bit. */
  private static long quotient(long dividend, long divisor) {
    // Significands have at most 53 bits, so that a remainder has room for ten more.
    long d = divisor >>> 10;
    long remainder = dividend >>> 10;
    long quotient = remainder / d;
    remainder %= d;
    for (int i = 0; i < 6; i++) {
      remainder <<= 10;
      quotient = (quotient << 10) | (remainder / d);
      remainder %= d;
    }
    return quotient | sticky(remainder);
  }

  static long sqrt(Format f, long a, int rm, FpEnv env) {
    if (f.isNan(a)) {
      return nan(f, f.isSignalingNan(a), env);
    }
    long mag = f.magnitude(a);
    if (mag == 0) {
      return a;
    }
    if (f.isNegative(a)) {
      return nan(f, true, env);
    }
    if (mag == f.infinity) {
      return a;
    }
    int exponent = f.exponent(mag);
    // An odd exponent lends the significand one bit, so that the exponent can be halved.
    long radicand = f.significand(mag) << (exponent & 1);
    return round(f, false, (exponent >> 1) + 5, root(radicand), rm, env);
  }

  /** The square root of an unsigned number times 2^26, with its sticky bit: 58 binary digits. */
  private static long root(long radicand) {
    long rest = radicand;
    long remainder = 0;
    long root = 0;
    for (int i = 0; i < 58; i++) {
      remainder = (remainder << 2) | (rest >>> 62);
      rest <<= 2;
      long trial = (root << 2) | 1;
      root <<= 1;
      if (remainder >= trial) {
        remainder -= trial;
        root |= 1;
      }
    }
    return root | sticky(remainder);
  }

  /** {@code a × b + c}, rounded once. */
  static long fma(Format f, long a, long b, long c, int rm, FpEnv env) {
    long magA = f.magnitude(a);
    long magB = f.magnitude(b);
    long magC = f.magnitude(c);
    boolean infiniteTimesZero =
        (magA == f.infinity && magB == 0) || (magA == 0 && magB == f.infinity);
    if (infiniteTimesZero || f.isNan(a) || f.isNan(b) || f.isNan(c)) {
      // "F" extension: infinity times zero is invalid even when the addend is a quiet NaN.
      boolean signaling = f.isSignalingNan(a) || f.isSignalingNan(b) || f.isSignalingNan(c);
      return nan(f, infiniteTimesZero || signaling, env);
    }
    boolean negative = f.isNegative(a ^ b);
    if (magA == f.infinity || magB == f.infinity) {
      boolean opposed = magC == f.infinity && negative != f.isNegative(c);
      return opposed ? nan(f, true, env) : f.infinity(negative);
    }
    if (magA == 0 || magB == 0) {
      return add(f, f.zero(negative), c, rm, env);
    }
    if (magC == f.infinity) {
      return c;
    }
    if (magC == 0) {
      return mul(f, a, b, rm, env);
    }
    return fmaFinite(f, a, b, c, rm, env);
  }

  private static long fmaFinite(Format f, long a, long b, long c, int rm, FpEnv env) {
    long magA = f.magnitude(a);
    long magB = f.magnitude(b);
    long magC = f.magnitude(c);
    long sigA = f.significand(magA);
    long sigB = f.significand(magB);
    long sigC = f.significand(magC);
    int productExponent = f.exponent(magA) + f.exponent(magB);
    int addendExponent = f.exponent(magC);
    // Both terms on 128 bits with a scale of 2^-124; the one with the smaller exponent moves right.
    int gap = productExponent - addendExponent;
    int productShift = Math.max(-gap, 0);
    int addendShift = Math.max(gap, 0);
    long productHigh = Math.multiplyHigh(sigA, sigB);
    long productLow = shiftedLow(productHigh, sigA * sigB, productShift);
    productHigh = shiftedHigh(productHigh, productShift);
    long addendHigh = sigC >>> 2;
    long addendLow = shiftedLow(addendHigh, sigC << 62, addendShift);
    addendHigh = shiftedHigh(addendHigh, addendShift);

    boolean negative = f.isNegative(a ^ b);
    if (negative != f.isNegative(c)) {
      addendHigh = ~addendHigh + (addendLow == 0 ? 1 : 0);
      addendLow = -addendLow;
    }
    long low = productLow + addendLow;
    long carry = Long.compareUnsigned(low, productLow) < 0 ? 1 : 0;
    long high = productHigh + addendHigh + carry;
    if (high < 0) {
      negative = !negative;
      high = ~high + (low == 0 ? 1 : 0);
      low = -low;
    }
    if ((high | low) == 0) {
      return f.zero(rm == RDN);
    }
    return roundWide(f, negative, Math.max(productExponent, addendExponent), high, low, rm, env);
  }

  /** Rounds {@code (high × 2^64 + low) × 2^(exponent - 124)}, not zero and below 2^127 unscaled. */
  private static long roundWide(
      Format f, boolean negative, int exponent, long high, long low, int rm, FpEnv env) {
    if (high == 0) {
      return round(f, negative, exponent - 62, low, rm, env);
    }
    int shift = Long.numberOfLeadingZeros(high) - 1;
    long top = shift == 0 ? high : (high << shift) | (low >>> (64 - shift));
    return round(f, negative, exponent + 2 - shift, top | sticky(low << shift), rm, env);
  }

  /** Converts an integer, given as sign and unsigned magnitude. */
  static long fromInteger(Format f, boolean negative, long magnitude, int rm, FpEnv env) {
    return magnitude == 0 ? 0 : round(f, negative, 62, magnitude, rm, env);
  }

  /** Converts binary64 to binary32. */
  static long narrow(long a, int rm, FpEnv env) {
    Format from = Format.BINARY64;
    Format to = Format.BINARY32;
    if (from.isNan(a)) {
      return nan(to, from.isSignalingNan(a), env);
    }
    long mag = from.magnitude(a);
    boolean negative = from.isNegative(a);
    if (mag == from.infinity) {
      return to.infinity(negative);
    }
    if (mag == 0) {
      return to.zero(negative);
    }
    return round(to, negative, from.exponent(mag), from.significand(mag), rm, env);
  }

  /**
   * Rounds {@code significand × 2^(exponent - 62)} to the format, the significand unsigned and not
   * zero, and sets the flags that this raises.
   */
  static long round(Format f, boolean negative, int exponent, long significand, int rm, FpEnv env) {
    int shift = Long.numberOfLeadingZeros(significand) - 1;
    long sig = shift < 0 ? shiftRightSticky(significand, 1) : significand << shift;
    int exp = exponent - shift;
    int cut = 63 - f.precision;
    boolean tiny = false;
    if (exp < f.minExponent) {
      // Tiny after rounding: also with an unbounded exponent it would not become a normal number.
      tiny = exp < f.minExponent - 1 || roundOff(sig, cut, negative, rm) >>> f.precision == 0;
      sig = shiftRightSticky(sig, f.minExponent - exp);
      exp = f.minExponent;
    }
    long kept = roundOff(sig, cut, negative, rm);
    // The hidden one, if there is one, and a carry out of the fraction both count up the exponent.
    long magnitude = ((long) (exp - f.minExponent) << f.fractionBits) + kept;
    if (exp > f.maxExponent || magnitude >= f.infinity) {
      env.flags |= OF | NX;
      return f.zero(negative) | overflow(f, negative, rm);
    }
    if ((sig & ((1L << cut) - 1)) != 0) {
      env.flags |= tiny ? UF | NX : NX;
    }
    return f.zero(negative) | magnitude;
  }

  /** Drops the low {@code cut} bits and rounds what remains. */
  private static long roundOff(long significand, int cut, boolean negative, int rm) {
    long half = 1L << (cut - 1);
    long rest = significand & (2 * half - 1);
    long kept = significand >>> cut;
    boolean up =
        switch (rm) {
          case RNE -> rest > half || (rest == half && (kept & 1) != 0);
          case RTZ -> false;
          case RDN -> negative && rest != 0;
          case RUP -> !negative && rest != 0;
          default -> rest >= half;
        };
    return up ? kept + 1 : kept;
  }

  /** The magnitude that stands for one too large: infinity, or the largest finite number. */
  private static long overflow(Format f, boolean negative, int rm) {
    boolean towardZero = rm == RTZ || (rm == RDN && !negative) || (rm == RUP && negative);
    return towardZero ? f.infinity - 1 : f.infinity;
  }

  private static long nan(Format f, boolean invalid, FpEnv env) {
    if (invalid) {
      env.flags |= NV;
    }
    return f.canonicalNan;
  }

  private static long sticky(long cutOff) {
    return cutOff != 0 ? 1 : 0;
  }

  private static long shiftRightSticky(long x, int distance) {
    if (distance == 0) {
      return x;
    }
    return distance < 64 ? (x >>> distance) | sticky(x << -distance) : sticky(x);
  }

  private static long shiftedHigh(long high, int distance) {
    return distance < 64 ? high >>> distance : 0;
  }

  /** The low word of a 128-bit number shifted right, with its sticky bit. */
  private static long shiftedLow(long high, long low, int distance) {
    if (distance == 0) {
      return low;
    }
    if (distance < 64) {
      return (low >>> distance) | (high << -distance) | sticky(low << -distance);
    }
    return shiftRightSticky(high, distance - 64) | sticky(low);
  }
}
