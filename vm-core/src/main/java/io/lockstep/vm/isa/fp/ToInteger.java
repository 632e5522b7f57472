package io.lockstep.vm.isa.fp;

import static io.lockstep.vm.isa.fp.FpEnv.NV;
import static io.lockstep.vm.isa.fp.FpEnv.NX;
import static io.lockstep.vm.isa.fp.FpEnv.RDN;
import static io.lockstep.vm.isa.fp.FpEnv.RNE;
import static io.lockstep.vm.isa.fp.FpEnv.RTZ;
import static io.lockstep.vm.isa.fp.FpEnv.RUP;

/**
 * Conversions to integers, for both formats: a binary32 number is a binary64 number as well.
 *
 * <p>What does not fit saturates and raises NV (and not NX); a NaN counts as positive infinity.
 */
final class ToInteger {
  private ToInteger() {}

  static long toI32(double x, int rm, FpEnv env) {
    int exact = (int) x;
    return exact == x ? exact : toI32Rounded(x, rm, env);
  }

  private static long toI32Rounded(double x, int rm, FpEnv env) {
    double rounded = toIntegral(x, rm);
    if (rounded >= -0x1p31 && rounded < 0x1p31) {
      env.flags |= NX;
      return (int) rounded;
    }
    env.flags |= NV;
    return x < 0 ? Integer.MIN_VALUE : Integer.MAX_VALUE;
  }

  static long toU32(double x, int rm, FpEnv env) {
    double rounded = toIntegral(x, rm);
    if (rounded >= 0 && rounded < 0x1p32) {
      if (rounded != x) {
        env.flags |= NX;
      }
      return (int) (long) rounded;
    }
    env.flags |= NV;
    return x < 0 ? 0 : -1;
  }

  static long toI64(double x, int rm, FpEnv env) {
    long exact = (long) x;
    // 2^63 saturates to the largest long, which rounds to 2^63 again.
    return (double) exact == x && exact != Long.MAX_VALUE ? exact : toI64Rounded(x, rm, env);
  }

  private static long toI64Rounded(double x, int rm, FpEnv env) {
    double rounded = toIntegral(x, rm);
    if (rounded >= -0x1p63 && rounded < 0x1p63) {
      env.flags |= NX;
      return (long) rounded;
    }
    env.flags |= NV;
    return x < 0 ? Long.MIN_VALUE : Long.MAX_VALUE;
  }

  static long toU64(double x, int rm, FpEnv env) {
    double rounded = toIntegral(x, rm);
    if (rounded >= 0 && rounded < 0x1p64) {
      if (rounded != x) {
        env.flags |= NX;
      }
      return rounded < 0x1p63 ? (long) rounded : (long) (rounded - 0x1p63) ^ Long.MIN_VALUE;
    }
    env.flags |= NV;
    return x < 0 ? 0 : -1;
  }

  private static double toIntegral(double x, int rm) {
    return switch (rm) {
      case RNE -> Math.rint(x);
      case RTZ -> towardZero(x);
      case RDN -> Math.floor(x);
      case RUP -> Math.ceil(x);
      default -> tiesAway(x);
    };
  }

  private static double towardZero(double x) {
    return x < 0 ? Math.ceil(x) : Math.floor(x);
  }

  private static double tiesAway(double x) {
    double whole = towardZero(x);
    // The fraction is exact; adding one half before cutting would not be.
    return Math.abs(x - whole) >= 0.5 ? whole + Math.copySign(1, x) : whole;
  }
}
