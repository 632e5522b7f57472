package io.lockstep.vm.isa.fp;

import java.math.BigInteger;

/**
 * IEEE 754 by the book, on integers of any length: the slow twin that the real thing is held
 * against. It shares no code with it.
 *
 * @param precision bits of the significand, the hidden one included
 * @param emax largest exponent
 */
record ExactArithmetic(int precision, int emax) {
  static final ExactArithmetic SINGLE = new ExactArithmetic(24, 127);
  static final ExactArithmetic DOUBLE = new ExactArithmetic(53, 1023);

  /** Bits of a result, and the flags raised. */
  record Outcome(long bits, int flags) {}

  /** An exact finite number: {@code units × 2^scale}. */
  private record Exact(BigInteger units, int scale) {
    Exact negate() {
      return new Exact(units.negate(), scale);
    }

    Exact times(Exact other) {
      return new Exact(units.multiply(other.units), scale + other.scale);
    }

    Exact plus(Exact other) {
      int common = Math.min(scale, other.scale);
      return new Exact(at(common).add(other.at(common)), common);
    }

    private BigInteger at(int smallerScale) {
      return units.shiftLeft(scale - smallerScale);
    }

    boolean isZero() {
      return units.signum() == 0;
    }

    /** Appends a bit that stands for something nonzero too small to be written down. */
    Exact withRemainder(BigInteger remainder) {
      BigInteger doubled = units.shiftLeft(1);
      return new Exact(remainder.signum() == 0 ? doubled : doubled.add(BigInteger.ONE), scale - 1);
    }
  }

  Outcome add(long a, long b, int rm) {
    if (isNan(a) || isNan(b)) {
      return nan(isSignaling(a) || isSignaling(b));
    }
    if (isInfinite(a) || isInfinite(b)) {
      boolean opposed = isInfinite(a) && isInfinite(b) && a != b;
      return opposed ? nan(true) : new Outcome(isInfinite(a) ? a : b, 0);
    }
    return sum(exact(a), isNegative(a), exact(b), isNegative(b), rm);
  }

  Outcome mul(long a, long b, int rm) {
    if (isNan(a) || isNan(b)) {
      return nan(isSignaling(a) || isSignaling(b));
    }
    boolean negative = isNegative(a) != isNegative(b);
    if (isInfinite(a) || isInfinite(b)) {
      return isZero(a) || isZero(b) ? nan(true) : new Outcome(infinity(negative), 0);
    }
    return round(negative, exact(a).times(exact(b)), rm);
  }

  Outcome div(long a, long b, int rm) {
    if (isNan(a) || isNan(b)) {
      return nan(isSignaling(a) || isSignaling(b));
    }
    if ((isZero(a) && isZero(b)) || (isInfinite(a) && isInfinite(b))) {
      return nan(true);
    }
    boolean negative = isNegative(a) != isNegative(b);
    if (isInfinite(a) || isZero(b)) {
      return new Outcome(infinity(negative), isInfinite(a) ? 0 : FpEnv.DZ);
    }
    if (isInfinite(b)) {
      return new Outcome(zero(negative), 0);
    }
    int extra = 3 * precision;
    Exact x = exact(a);
    Exact y = exact(b);
    BigInteger[] parts = x.units().abs().shiftLeft(extra).divideAndRemainder(y.units().abs());
    Exact quotient = new Exact(parts[0], x.scale() - y.scale() - extra);
    return round(negative, quotient.withRemainder(parts[1]), rm);
  }

  Outcome sqrt(long a, int rm) {
    if (isNan(a)) {
      return nan(isSignaling(a));
    }
    if (isZero(a)) {
      return new Outcome(a, 0);
    }
    if (isNegative(a)) {
      return nan(true);
    }
    if (isInfinite(a)) {
      return new Outcome(a, 0);
    }
    Exact x = exact(a);
    int extra = 4 * precision + (x.scale() & 1);
    BigInteger[] parts = x.units().shiftLeft(extra).sqrtAndRemainder();
    return round(false, new Exact(parts[0], (x.scale() - extra) / 2).withRemainder(parts[1]), rm);
  }

  Outcome fma(long a, long b, long c, int rm) {
    if ((isInfinite(a) && isZero(b)) || (isZero(a) && isInfinite(b))) {
      return nan(true);
    }
    if (isNan(a) || isNan(b) || isNan(c)) {
      return nan(isSignaling(a) || isSignaling(b) || isSignaling(c));
    }
    boolean negative = isNegative(a) != isNegative(b);
    if (isInfinite(a) || isInfinite(b)) {
      return add(infinity(negative), c, rm);
    }
    if (isInfinite(c)) {
      return new Outcome(c, 0);
    }
    return sum(exact(a).times(exact(b)), negative, exact(c), isNegative(c), rm);
  }

  /** Converts from another format. */
  Outcome convert(ExactArithmetic from, long a, int rm) {
    if (from.isNan(a)) {
      return nan(from.isSignaling(a));
    }
    boolean negative = from.isNegative(a);
    return from.isInfinite(a)
        ? new Outcome(infinity(negative), 0)
        : round(negative, from.exact(a), rm);
  }

  Outcome fromInteger(BigInteger i, int rm) {
    return round(i.signum() < 0, new Exact(i, 0), rm);
  }

  /** Converts to an integer between two bounds, which are what too small and too large become. */
  Outcome toInteger(long a, BigInteger min, BigInteger max, int rm) {
    if (isNan(a) || isInfinite(a)) {
      boolean low = !isNan(a) && isNegative(a);
      return new Outcome((low ? min : max).longValue(), FpEnv.NV);
    }
    Exact x = exact(a);
    BigInteger whole = roundToMultiple(x.units().abs(), -x.scale(), isNegative(a), rm);
    BigInteger result = isNegative(a) ? whole.negate() : whole;
    if (result.compareTo(min) < 0 || result.compareTo(max) > 0) {
      return new Outcome((result.signum() < 0 ? min : max).longValue(), FpEnv.NV);
    }
    boolean inexact = !x.plus(new Exact(result.negate(), 0)).isZero();
    return new Outcome(result.longValue(), inexact ? FpEnv.NX : 0);
  }

  private Outcome sum(Exact x, boolean xNegative, Exact y, boolean yNegative, int rm) {
    Exact sum = x.plus(y);
    if (sum.units().signum() != 0) {
      return round(sum.units().signum() < 0, sum, rm);
    }
    boolean bothNegative = xNegative && yNegative;
    boolean opposed = xNegative != yNegative;
    return new Outcome(zero(bothNegative || (opposed && rm == FpEnv.RDN)), 0);
  }

  private Outcome round(boolean negative, Exact x, int rm) {
    BigInteger units = x.units().abs();
    if (units.signum() == 0) {
      return new Outcome(zero(negative), 0);
    }
    int emin = 1 - emax;
    int freeQuantum = units.bitLength() + x.scale() - precision;
    int quantum = Math.max(freeQuantum, emin - precision + 1);
    BigInteger kept = roundToMultiple(units, quantum - x.scale(), negative, rm);
    boolean exact = new Exact(kept, quantum).plus(new Exact(units.negate(), x.scale())).isZero();
    if (kept.bitLength() + quantum - 1 > emax) {
      boolean away = rm == FpEnv.RNE || rm == FpEnv.RMM || rm == (negative ? FpEnv.RDN : FpEnv.RUP);
      return new Outcome(infinity(negative) - (away ? 0 : 1), FpEnv.OF | FpEnv.NX);
    }
    BigInteger free = roundToMultiple(units, freeQuantum - x.scale(), negative, rm);
    boolean tiny = free.bitLength() + freeQuantum - 1 < emin;
    int flags = exact ? 0 : tiny ? FpEnv.NX | FpEnv.UF : FpEnv.NX;
    return new Outcome(zero(negative) | encode(kept, quantum), flags);
  }

  private long encode(BigInteger units, int quantum) {
    if (units.bitLength() < precision) {
      return units.longValueExact(); // subnormal: the quantum is the smallest there is
    }
    int exponent = units.bitLength() + quantum - 1;
    long significand = units.shiftRight(units.bitLength() - precision).longValueExact();
    return ((long) (exponent + emax) << (precision - 1)) + significand - (1L << (precision - 1));
  }

  /** {@code units / 2^bits}, rounded to an integer. */
  private static BigInteger roundToMultiple(BigInteger units, int bits, boolean negative, int rm) {
    if (bits <= 0) {
      return units.shiftLeft(-bits);
    }
    BigInteger[] parts = units.divideAndRemainder(BigInteger.ONE.shiftLeft(bits));
    int toHalf = parts[1].compareTo(BigInteger.ONE.shiftLeft(bits - 1));
    boolean inexact = parts[1].signum() != 0;
    boolean up =
        switch (rm) {
          case FpEnv.RNE -> toHalf > 0 || (toHalf == 0 && parts[0].testBit(0));
          case FpEnv.RTZ -> false;
          case FpEnv.RDN -> inexact && negative;
          case FpEnv.RUP -> inexact && !negative;
          case FpEnv.RMM -> toHalf >= 0;
          default -> throw new IllegalArgumentException("no rounding mode " + rm);
        };
    return up ? parts[0].add(BigInteger.ONE) : parts[0];
  }

  private Outcome nan(boolean invalid) {
    return new Outcome(infinity(false) + quietBit(), invalid ? FpEnv.NV : 0);
  }

  private long zero(boolean negative) {
    return negative ? signBit() : 0;
  }

  private long infinity(boolean negative) {
    return zero(negative) | ((2L * emax + 1) << (precision - 1));
  }

  private long signBit() {
    return (2L * emax + 2) << (precision - 1);
  }

  private long quietBit() {
    return 1L << (precision - 2);
  }

  private long magnitude(long bits) {
    return bits & (signBit() - 1);
  }

  private boolean isNegative(long bits) {
    return magnitude(bits) != bits;
  }

  private boolean isZero(long bits) {
    return magnitude(bits) == 0;
  }

  private boolean isInfinite(long bits) {
    return magnitude(bits) == infinity(false);
  }

  private boolean isNan(long bits) {
    return magnitude(bits) > infinity(false);
  }

  private boolean isSignaling(long bits) {
    return isNan(bits) && (bits & quietBit()) == 0;
  }

  private Exact exact(long bits) {
    long biased = magnitude(bits) >>> (precision - 1);
    long fraction = bits & ((1L << (precision - 1)) - 1);
    long significand = biased == 0 ? fraction : fraction + (1L << (precision - 1));
    int scale = (int) Math.max(biased, 1) - emax - (precision - 1);
    Exact positive = new Exact(BigInteger.valueOf(significand), scale);
    return isNegative(bits) ? positive.negate() : positive;
  }
}
