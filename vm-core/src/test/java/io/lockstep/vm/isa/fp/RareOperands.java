package io.lockstep.vm.isa.fp;

import java.util.Random;

/**
 * Draws operands that go wrong more often than uniform ones: boundaries of the format, fractions of
 * few ones or few zeros, and numbers that meet their predecessors in a tie, a cancellation, or at
 * the edge of underflow or overflow.
 */
final class RareOperands {
  private final Random random;
  private final int fractionBits;
  private final int maxBiased;

  RareOperands(Random random, int fractionBits, int exponentBits) {
    this.random = random;
    this.fractionBits = fractionBits;
    this.maxBiased = (1 << exponentBits) - 1;
  }

  long[] draw(int count) {
    long[] operands = new long[count];
    for (int i = 0; i < count; i++) {
      operands[i] = i == 0 || random.nextInt(3) == 0 ? one() : near(operands, i);
    }
    return operands;
  }

  /** An integer of any length up to 64 bits, often close to a power of two. */
  static long integer(Random random) {
    long power = 1L << random.nextInt(64);
    return switch (random.nextInt(4)) {
      case 0 -> random.nextLong() >> random.nextInt(64);
      case 1 -> power + random.nextInt(-2, 3);
      case 2 -> (power | (1L << random.nextInt(64))) + random.nextInt(-1, 2);
      default -> -power + random.nextInt(-2, 3);
    };
  }

  private long one() {
    int bias = maxBiased / 2;
    int biased =
        switch (random.nextInt(6)) {
          case 0 -> random.nextInt(3);
          case 1 -> maxBiased - random.nextInt(3);
          case 2 -> bias + random.nextInt(-3, 4);
          case 3 -> bias + random.nextInt(-fractionBits - 2, fractionBits + 14);
          case 4 -> bias * random.nextInt(1, 4) / 2;
          default -> random.nextInt(maxBiased + 1);
        };
    return assemble(biased);
  }

  /** A number whose exponent is in some relation to those before it. */
  private long near(long[] operands, int count) {
    int last = exponentOf(operands[count - 1]);
    int bias = maxBiased / 2;
    int product = count < 2 ? last : last + exponentOf(operands[count - 2]) - bias;
    int wobble = random.nextInt(-2, 3);
    int biased =
        switch (random.nextInt(7)) {
          case 0 -> last + random.nextInt(-fractionBits - 3, fractionBits + 4);
          case 1 -> product + random.nextInt(-2 * fractionBits - 4, 2 * fractionBits + 5);
          case 2 -> bias - last + 1 + wobble; // a product close to underflow
          case 3 -> bias - last - random.nextInt(fractionBits + 2); // and below it
          case 4 -> 3 * bias - last + wobble; // a product close to overflow
          case 5 -> last + bias + wobble; // a quotient close to underflow
          default -> last - bias + wobble; // and to overflow
        };
    if (random.nextInt(8) == 0) {
      return operands[count - 1] ^ signBit() ^ random.nextInt(3); // cancellation
    }
    if (count == 2 && random.nextInt(8) == 0) {
      return cancelProduct(operands[0], operands[1]);
    }
    return assemble(Math.clamp(biased, 0, maxBiased));
  }

  /** The rounded product with its sign changed: adding it leaves only the rounding error. */
  private long cancelProduct(long a, long b) {
    if (fractionBits == 52) {
      double product = Double.longBitsToDouble(a) * Double.longBitsToDouble(b);
      return Double.doubleToRawLongBits(-product);
    }
    float product = Float.intBitsToFloat((int) a) * Float.intBitsToFloat((int) b);
    return Float.floatToRawIntBits(-product) & 0xffff_ffffL;
  }

  private long assemble(int biased) {
    long sign = random.nextInt(3) == 0 ? signBit() : 0;
    return sign | ((long) biased << fractionBits) | fraction();
  }

  private long fraction() {
    long all = (1L << fractionBits) - 1;
    long bit = 1L << random.nextInt(fractionBits);
    return switch (random.nextInt(9)) {
      case 0 -> 0;
      case 1 -> all;
      case 2 -> bit;
      case 3 -> all ^ bit;
      case 4 -> bit - 1;
      case 5 -> all ^ (bit - 1);
      case 6 -> bit | (1L << random.nextInt(fractionBits));
      case 7 -> random.nextInt(4);
      default -> random.nextLong() & all;
    };
  }

  private int exponentOf(long bits) {
    return (int) (bits >>> fractionBits) & maxBiased;
  }

  private long signBit() {
    return (maxBiased + 1L) << fractionBits;
  }
}
