package io.lockstep.vm.isa.fp;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.function.DoubleBinaryOperator;
import org.junit.jupiter.api.Test;

/**
 * The integer arithmetic, which the host's arithmetic normally keeps out of sight, against the host
 * for rounding to nearest-even; and comparisons and min/max, which do not round.
 */
class FpAgainstHostTest {
  private static final long SEED = Long.getLong("lockstep.seed", 20_250_607);
  private static final int CASES = 200_000;

  private final Random random = new Random(SEED);
  private final RareOperands doubles = new RareOperands(random, 52, 11);
  private final RareOperands singles = new RareOperands(random, 23, 8);
  private final FpEnv env = new FpEnv();

  private interface Soft {
    long apply(Format format, long a, long b, int rm, FpEnv env);
  }

  @Test
  void integerAdditionEqualsTheHosts() {
    compareDoubles(SoftFloat::add, (x, y) -> x + y);
  }

  @Test
  void integerMultiplicationEqualsTheHosts() {
    compareDoubles(SoftFloat::mul, (x, y) -> x * y);
  }

  @Test
  void integerDivisionEqualsTheHosts() {
    compareDoubles(SoftFloat::div, (x, y) -> x / y);
  }

  @Test
  void integerSquareRootEqualsTheHosts() {
    compareDoubles((f, a, b, rm, e) -> SoftFloat.sqrt(f, a, rm, e), (x, y) -> Math.sqrt(x));
  }

  @Test
  void integerFusedMultiplyAddEqualsTheHosts() {
    for (int i = 0; i < CASES; i++) {
      long[] v = doubles.draw(3);
      double expected = Math.fma(number(v[0]), number(v[1]), number(v[2]));
      long bits = SoftFloat.fma(Format.BINARY64, v[0], v[1], v[2], FpEnv.RNE, env);
      checkBits(Double.doubleToLongBits(expected), bits, v);
      long[] w = singles.draw(3);
      float single = Math.fma(single(w[0]), single(w[1]), single(w[2]));
      int singleBits = (int) SoftFloat.fma(Format.BINARY32, w[0], w[1], w[2], FpEnv.RNE, env);
      checkBits(Float.floatToIntBits(single), singleBits, w);
    }
  }

  @Test
  void integerDivisionAndRootOfSinglesEqualTheHosts() {
    for (int i = 0; i < CASES; i++) {
      long[] v = singles.draw(2);
      int quotient = (int) SoftFloat.div(Format.BINARY32, v[0], v[1], FpEnv.RNE, env);
      checkBits(Float.floatToIntBits(single(v[0]) / single(v[1])), quotient, v);
      int root = (int) SoftFloat.sqrt(Format.BINARY32, v[0], FpEnv.RNE, env);
      checkBits(Float.floatToIntBits((float) Math.sqrt(single(v[0]))), root, v);
    }
  }

  @Test
  void comparisonsEqualTheHosts() {
    for (int i = 0; i < CASES; i++) {
      long[] v = doubles.draw(2);
      double x = number(v[0]);
      double y = number(v[1]);
      checkBits(x == y ? 1 : 0, Fp64.eq(v[0], v[1], env), v);
      checkBits(x < y ? 1 : 0, Fp64.lt(v[0], v[1], env), v);
      checkBits(x <= y ? 1 : 0, Fp64.le(v[0], v[1], env), v);
      int[] w = {(int) singles.draw(1)[0], (int) singles.draw(1)[0]};
      float s = Float.intBitsToFloat(w[0]);
      float t = Float.intBitsToFloat(w[1]);
      checkBits(s == t ? 1 : 0, Fp32.eq(w[0], w[1], env), w[0], w[1]);
      checkBits(s < t ? 1 : 0, Fp32.lt(w[0], w[1], env), w[0], w[1]);
      checkBits(s <= t ? 1 : 0, Fp32.le(w[0], w[1], env), w[0], w[1]);
    }
  }

  @Test
  void minimumAndMaximumOfNumbersEqualTheHosts() {
    int compared = 0;
    for (int i = 0; i < CASES; i++) {
      long[] v = doubles.draw(2);
      double x = number(v[0]);
      double y = number(v[1]);
      if (!Double.isNaN(x) && !Double.isNaN(y)) {
        checkBits(Double.doubleToRawLongBits(Math.min(x, y)), Fp64.min(v[0], v[1], env), v);
        checkBits(Double.doubleToRawLongBits(Math.max(x, y)), Fp64.max(v[0], v[1], env), v);
        compared++;
      }
      long[] w = singles.draw(2);
      float s = single(w[0]);
      float t = single(w[1]);
      if (!Float.isNaN(s) && !Float.isNaN(t)) {
        int min = Fp32.min((int) w[0], (int) w[1], env);
        int max = Fp32.max((int) w[0], (int) w[1], env);
        checkBits(Float.floatToRawIntBits(Math.min(s, t)), min, w);
        checkBits(Float.floatToRawIntBits(Math.max(s, t)), max, w);
        compared++;
      }
    }
    assertThat(compared).isGreaterThan(CASES);
    assertThat(env.flags).isZero();
  }

  private void compareDoubles(Soft soft, DoubleBinaryOperator host) {
    for (int i = 0; i < CASES; i++) {
      long[] v = doubles.draw(2);
      // doubleToLongBits makes every NaN canonical, as RISC-V does.
      long expected = Double.doubleToLongBits(host.applyAsDouble(number(v[0]), number(v[1])));
      checkBits(expected, soft.apply(Format.BINARY64, v[0], v[1], FpEnv.RNE, env), v);
    }
  }

  private static void checkBits(long expected, long actual, long... operands) {
    if (expected != actual) {
      throw new AssertionError(
          "expected %x but got %x; first operand %x, last %x; repeat with -Dlockstep.seed=%d"
              .formatted(expected, actual, operands[0], operands[operands.length - 1], SEED));
    }
  }

  private static double number(long bits) {
    return Double.longBitsToDouble(bits);
  }

  private static float single(long bits) {
    return Float.intBitsToFloat((int) bits);
  }
}
