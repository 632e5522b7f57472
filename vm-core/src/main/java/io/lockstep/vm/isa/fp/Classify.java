package io.lockstep.vm.isa.fp;

/** {@code fclass.s} and {@code fclass.d}. */
final class Classify {
  private static final int NEGATIVE_INFINITY = 0;
  private static final int NEGATIVE_NORMAL = 1;
  private static final int NEGATIVE_SUBNORMAL = 2;
  private static final int NEGATIVE_ZERO = 3;
  private static final int POSITIVE_ZERO = 4;
  private static final int POSITIVE_SUBNORMAL = 5;
  private static final int POSITIVE_NORMAL = 6;
  private static final int POSITIVE_INFINITY = 7;
  private static final int SIGNALING_NAN = 8;
  private static final int QUIET_NAN = 9;

  private Classify() {}

  /** One bit of ten, numbered as in the table of the "F" chapter. */
  static int classify(Format f, long bits) {
    return 1 << bitFor(f, bits);
  }

  private static int bitFor(Format f, long bits) {
    long mag = f.magnitude(bits);
    boolean negative = f.isNegative(bits);
    if (mag > f.infinity) {
      return f.isSignalingNan(bits) ? SIGNALING_NAN : QUIET_NAN;
    }
    if (mag == f.infinity) {
      return negative ? NEGATIVE_INFINITY : POSITIVE_INFINITY;
    }
    if (mag == 0) {
      return negative ? NEGATIVE_ZERO : POSITIVE_ZERO;
    }
    if (mag >>> f.fractionBits == 0) {
      return negative ? NEGATIVE_SUBNORMAL : POSITIVE_SUBNORMAL;
    }
    return negative ? NEGATIVE_NORMAL : POSITIVE_NORMAL;
  }
}
