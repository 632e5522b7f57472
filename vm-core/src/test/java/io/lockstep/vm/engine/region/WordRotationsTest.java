package io.lockstep.vm.engine.region;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.isa.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WordRotationsTest {
  private static final int A = 10;
  private static final int T = 11;
  private static final int U = 12;

  private static WordRotations in(long... ops) {
    int[] offsets = new int[ops.length + 1];
    for (int i = 0; i < offsets.length; i++) {
      offsets[i] = 4 * i;
    }
    return WordRotations.in(new RegionBlock(ops, offsets));
  }

  private static long left(int rd, int rs, int amount) {
    return Op.of(Op.SLLIW, rd, rs, 0, amount);
  }

  private static long right(int rd, int rs, int amount) {
    return Op.of(Op.SRLIW, rd, rs, 0, amount);
  }

  @ParameterizedTest
  @ValueSource(ints = {Op.OR, Op.XOR, Op.ADD, Op.ADDW})
  void twoShiftsThatMakeUpAWordAreARotationAlsoIfTheSecondOverwritesTheSource(int code) {
    WordRotations found = in(right(T, A, 25), left(A, A, 7), Op.of(code, U, A, T, 0));
    assertThat(found.amount(2)).isEqualTo(7);
    assertThat(found.keeps(0)).isEqualTo(found.kept(2)).isPositive();
    assertThat(found.count()).isEqualTo(1);
  }

  @Test
  void shiftsOfDifferentContentsAreNone() {
    long or = Op.of(Op.OR, U, A, T, 0);
    assertThat(in(left(T, A, 7), right(A, U, 25), or).count()).as("two registers").isZero();
    assertThat(in(left(T, A, 7), right(A, A, 24), or).count()).as("31 bits").isZero();
    assertThat(in(left(T, A, 16), left(A, A, 16), or).count()).as("both left").isZero();
    long overwrites = Op.of(Op.ADDI, A, A, 0, 1);
    assertThat(in(left(T, A, 7), overwrites, right(A, A, 25), or).count())
        .as("source changed between")
        .isZero();
    long loses = Op.of(Op.ADDI, T, T, 0, 1);
    assertThat(in(left(T, A, 7), right(A, A, 25), loses, or).count())
        .as("a shifted word changed")
        .isZero();
  }
}
