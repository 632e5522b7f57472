package io.lockstep.vm.isa.fp;

/** The parameters of a binary interchange format (IEEE 754-2019 §3.6), and its notable values. */
enum Format {
  BINARY32(24, 127),
  BINARY64(53, 1023);

  /** Bits of the significand, the hidden one included. */
  final int precision;

  /** Bits of the stored fraction. */
  final int fractionBits;

  /** Largest exponent of a finite number, which is also the bias of the stored exponent. */
  final int maxExponent;

  /** Smallest exponent of a normal number. */
  final int minExponent;

  final long signBit;

  /** Bits of positive infinity; every magnitude above is a NaN. */
  final long infinity;

  /** Bits of the canonical NaN: positive, quiet, no payload. */
  final long canonicalNan;

  /** Fraction bit that tells a quiet NaN from a signaling one. */
  final long quietBit;

  Format(int precision, int maxExponent) {
    this.precision = precision;
    this.fractionBits = precision - 1;
    this.maxExponent = maxExponent;
    this.minExponent = 1 - maxExponent;
    this.infinity = (2L * maxExponent + 1) << fractionBits;
    this.quietBit = 1L << (fractionBits - 1);
    this.canonicalNan = infinity | quietBit;
    this.signBit = (infinity + (1L << fractionBits));
  }

  long magnitude(long bits) {
    return bits & (signBit - 1);
  }

  boolean isNegative(long bits) {
    return (bits & signBit) != 0;
  }

  boolean isNan(long bits) {
    return magnitude(bits) > infinity;
  }

  boolean isSignalingNan(long bits) {
    return isNan(bits) && (bits & quietBit) == 0;
  }

  /** Exponent of a finite nonzero magnitude, as if subnormal numbers were normalized. */
  int exponent(long magnitude) {
    int biased = (int) (magnitude >>> fractionBits);
    if (biased != 0) {
      return biased - maxExponent;
    }
    return minExponent - fractionBits + (63 - Long.numberOfLeadingZeros(magnitude));
  }

  /** Significand of a finite nonzero magnitude, moved left until its leading one is bit 62. */
  long significand(long magnitude) {
    long hidden = 1L << fractionBits;
    if (magnitude >= hidden) {
      return ((magnitude & (hidden - 1)) | hidden) << (62 - fractionBits);
    }
    return magnitude << (Long.numberOfLeadingZeros(magnitude) - 1);
  }

  long zero(boolean negative) {
    return negative ? signBit : 0;
  }

  long infinity(boolean negative) {
    return zero(negative) | infinity;
  }
}
