package io.lockstep.vm.engine.region;

/**
 * Integer operations that emitted code calls because they take more than a few bytecodes, or
 * because they branch and their profile should be that of all their uses.
 */
@SuppressWarnings({"IntLongMath", "NarrowCalculation"})
public final class RegionAlu {
  private RegionAlu() {}

  public static long slt(long a, long b) {
    return a < b ? 1 : 0;
  }

  public static long sltu(long a, long b) {
    return Long.compareUnsigned(a, b) < 0 ? 1 : 0;
  }

  public static long mulhsu(long a, long b) {
    return Math.multiplyHigh(a, b) + (b < 0 ? a : 0);
  }

  public static long div(long a, long b) {
    return b == 0 ? -1 : a / b;
  }

  public static long divu(long a, long b) {
    return b == 0 ? -1 : Long.divideUnsigned(a, b);
  }

  public static long rem(long a, long b) {
    return b == 0 ? a : a % b;
  }

  public static long remu(long a, long b) {
    return b == 0 ? a : Long.remainderUnsigned(a, b);
  }

  public static long divw(long a, long b) {
    return (int) b == 0 ? -1 : (int) a / (int) b;
  }

  public static long divuw(long a, long b) {
    return (int) b == 0 ? -1 : Integer.divideUnsigned((int) a, (int) b);
  }

  public static long remw(long a, long b) {
    return (int) b == 0 ? (int) a : (int) a % (int) b;
  }

  public static long remuw(long a, long b) {
    return (int) b == 0 ? (int) a : Integer.remainderUnsigned((int) a, (int) b);
  }

  public static long maxu(long a, long b) {
    return Long.compareUnsigned(a, b) > 0 ? a : b;
  }

  public static long minu(long a, long b) {
    return Long.compareUnsigned(a, b) < 0 ? a : b;
  }

  public static long czeroEqz(long a, long b) {
    return b == 0 ? 0 : a;
  }

  public static long czeroNez(long a, long b) {
    return b != 0 ? 0 : a;
  }
}
