package io.lockstep.vm.isa.fp;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.isa.fp.ExactArithmetic.Outcome;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every operation that rounds, on rare operands, against arithmetic without any limits. */
class FpAgainstExactArithmeticTest {
  private static final long SEED = Long.getLong("lockstep.seed", 20_250_607);
  private static final int CASES = 200_000;

  @ParameterizedTest
  @EnumSource
  void resultsAndFlagsAreExactInEveryRoundingMode(FpOperation op) {
    System.out.printf("%s: seed %d%n", op, SEED);
    Random random = new Random(SEED + op.ordinal());
    FpEnv env = new FpEnv();
    int seenFlags = 0;
    for (int i = 0; i < CASES; i++) {
      // Half of the cases round to nearest-even, which alone has a fast path.
      int rm = Math.max(0, random.nextInt(-3, 5));
      long[] operands = op.draw(random);
      Outcome expected = op.twin.apply(operands, rm);
      seenFlags |= expected.flags();
      // An inexact flag that is already set selects another path, too.
      check(op, operands, rm, expected, env, 0);
      check(op, operands, rm, expected, env, FpEnv.NX);
    }
    assertThat(seenFlags)
        .as("flags that the operands of %s provoked", op)
        .isEqualTo(op.possibleFlags);
  }

  private static void check(
      FpOperation op, long[] operands, int rm, Outcome expected, FpEnv env, int flagsBefore) {
    env.flags = flagsBefore;
    long bits = op.machine.apply(operands, rm, env);
    if (bits != expected.bits() || env.flags != (expected.flags() | flagsBefore)) {
      throw new AssertionError(
          ("%s of %s, rounding mode %d, flags %d: expected %x flags %d, but got %x flags %d;"
                  + " repeat with -Dlockstep.seed=%d")
              .formatted(
                  op,
                  Arrays.toString(Arrays.stream(operands).mapToObj(Long::toHexString).toArray()),
                  rm,
                  flagsBefore,
                  expected.bits(),
                  expected.flags() | flagsBefore,
                  bits,
                  env.flags,
                  SEED));
    }
  }
}
