package io.lockstep.vm.differential;

import java.util.Random;

/** Register contents that go wrong more often than uniform ones. */
public final class RareValues {
  private static final long BOX = 0xffff_ffff_0000_0000L;
  private static final long[] DOUBLES = {
    0,
    1L << 63,
    0x7ff0_0000_0000_0000L,
    0xfff0_0000_0000_0000L,
    0x7ff8_0000_0000_0000L,
    0xfff8_0000_0000_1234L,
    0x7ff0_0000_0000_0001L,
    0x7ff4_0000_0000_0000L,
    1,
    0x000f_ffff_ffff_ffffL,
    0x0010_0000_0000_0000L,
    0x7fef_ffff_ffff_ffffL,
    0x3ff0_0000_0000_0000L,
    0xbff0_0000_0000_0000L,
    0x43e0_0000_0000_0000L,
    0xc3e0_0000_0000_0000L,
    0x41e0_0000_0000_0000L,
    0x41df_ffff_ffe0_0000L,
    0x47ef_ffff_f000_0000L,
    0x3690_0000_0000_0000L
  };
  private static final int[] SINGLES = {
    0,
    1 << 31,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc0_1234,
    0x7f80_0001,
    0x7fa0_0000,
    1,
    0x007f_ffff,
    0x0080_0000,
    0x7f7f_ffff,
    0x3f80_0000,
    0xbf80_0000,
    0x5f00_0000,
    0xdf00_0000,
    0x4f00_0000,
    0xcf00_0001
  };

  private final Random random;

  /** Draws from {@code random}. */
  public RareValues(Random random) {
    this.random = random;
  }

  /** For an integer register. */
  public long integer() {
    long power = 1L << random.nextInt(64);
    return switch (random.nextInt(6)) {
      case 0 -> random.nextInt(-4, 5);
      case 1 -> power + random.nextInt(-2, 3);
      case 2 -> -power + random.nextInt(-2, 3);
      case 3 -> (long) random.nextInt() << random.nextInt(33);
      case 4 -> random.nextLong() >> random.nextInt(64);
      default -> random.nextLong();
    };
  }

  /** For a floating-point register: doubles, singles, and singles that are not boxed. */
  public long floating() {
    return switch (random.nextInt(9)) {
      case 0 -> DOUBLES[random.nextInt(DOUBLES.length)];
      case 1 -> BOX | SINGLES[random.nextInt(SINGLES.length)] & 0xffff_ffffL;
      case 2 -> random.nextLong();
      case 3 -> nearDouble();
      case 4 -> BOX | random.nextInt() & 0xffff_ffffL;
      case 5, 6 -> BOX | nearSingle() & 0xffff_ffffL;
      case 7 -> (long) random.nextInt() << 32 | nearSingle() & 0xffff_ffffL; // badly boxed
      default -> Double.doubleToRawLongBits(random.nextInt(-100, 101) / 8.0);
    };
  }

  private long fraction(int bits) {
    long all = (1L << bits) - 1;
    long bit = 1L << random.nextInt(bits);
    return switch (random.nextInt(5)) {
      case 0 -> 0;
      case 1 -> all;
      case 2 -> bit;
      case 3 -> all ^ bit - 1;
      default -> random.nextLong() & all;
    };
  }

  /** Exponents close to 1, and at the ends, so that sums, ties and underflow meet. */
  private long nearDouble() {
    int exponent =
        switch (random.nextInt(4)) {
          case 0 -> random.nextInt(3);
          case 1 -> 2047 - random.nextInt(3);
          case 2 -> 512 + random.nextInt(-60, 61);
          default -> 1023 + random.nextInt(-60, 61);
        };
    return (random.nextBoolean() ? 1L << 63 : 0) | (long) exponent << 52 | fraction(52);
  }

  private int nearSingle() {
    int exponent =
        switch (random.nextInt(4)) {
          case 0 -> random.nextInt(3);
          case 1 -> 255 - random.nextInt(3);
          case 2 -> 64 + random.nextInt(-26, 27);
          default -> 127 + random.nextInt(-30, 31);
        };
    return (random.nextBoolean() ? 1 << 31 : 0) | exponent << 23 | (int) fraction(23);
  }
}
