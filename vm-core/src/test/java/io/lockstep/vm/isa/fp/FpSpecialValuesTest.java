package io.lockstep.vm.isa.fp;

import static io.lockstep.vm.isa.fp.FpEnv.DZ;
import static io.lockstep.vm.isa.fp.FpEnv.NV;
import static io.lockstep.vm.isa.fp.FpEnv.NX;
import static io.lockstep.vm.isa.fp.FpEnv.OF;
import static io.lockstep.vm.isa.fp.FpEnv.RDN;
import static io.lockstep.vm.isa.fp.FpEnv.RMM;
import static io.lockstep.vm.isa.fp.FpEnv.RNE;
import static io.lockstep.vm.isa.fp.FpEnv.RTZ;
import static io.lockstep.vm.isa.fp.FpEnv.RUP;
import static io.lockstep.vm.isa.fp.FpEnv.UF;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** What the specification says in so many words about particular values. */
class FpSpecialValuesTest {
  private static final long QNAN = 0xfff8_0000_0000_1234L;
  private static final long SNAN = 0x7ff0_0000_0000_0001L;
  private static final long INF = 0x7ff0_0000_0000_0000L;
  private static final long MINUS_ZERO = Long.MIN_VALUE;
  private static final long MIN_NORMAL = 0x0010_0000_0000_0000L;
  private static final int QNAN_S = 0xffc0_1234;
  private static final int SNAN_S = 0x7f80_0001;
  private static final int MINUS_ZERO_S = Integer.MIN_VALUE;

  private final FpEnv env = new FpEnv();

  @Test
  void aNanOperandGivesTheCanonicalNanAndOnlyASignalingOneIsInvalid() {
    assertThat(Fp64.add(QNAN, bits(1), RNE, env)).isEqualTo(Fp64.CANONICAL_NAN);
    assertThat(Fp64.sqrt(QNAN, RNE, env)).isEqualTo(Fp64.CANONICAL_NAN);
    assertThat(Fp32.mul(QNAN_S, 0, RNE, env)).isEqualTo(Fp32.CANONICAL_NAN);
    assertThat(Fp32.fromF64(QNAN, RNE, env)).isEqualTo(Fp32.CANONICAL_NAN);
    assertThat(Fp64.fromF32(QNAN_S, env)).isEqualTo(Fp64.CANONICAL_NAN);
    assertThat(takeFlags()).isZero();
    assertThat(Fp64.fma(bits(1), bits(1), SNAN, RNE, env)).isEqualTo(Fp64.CANONICAL_NAN);
    assertThat(takeFlags()).isEqualTo(NV);
    assertThat(Fp64.fromF32(SNAN_S, env)).isEqualTo(Fp64.CANONICAL_NAN);
    assertThat(takeFlags()).isEqualTo(NV);
    assertThat(Fp32.fromF64(SNAN, RNE, env)).isEqualTo(Fp32.CANONICAL_NAN);
    assertThat(takeFlags()).isEqualTo(NV);
  }

  @Test
  void infinityTimesZeroIsInvalidEvenWithAQuietNanAddend() {
    assertThat(Fp64.fma(INF, 0, QNAN, RNE, env)).isEqualTo(Fp64.CANONICAL_NAN);
    assertThat(takeFlags()).isEqualTo(NV);
    assertThat(Fp32.fma(0, 0x7f80_0000, QNAN_S, RNE, env)).isEqualTo(Fp32.CANONICAL_NAN);
    assertThat(takeFlags()).isEqualTo(NV);
  }

  @Test
  void divisionByZeroIsToldFromInvalidDivision() {
    assertThat(Fp64.div(bits(-1), 0, RNE, env)).isEqualTo(INF | MINUS_ZERO);
    assertThat(takeFlags()).isEqualTo(DZ);
    assertThat(Fp64.div(0, 0, RNE, env)).isEqualTo(Fp64.CANONICAL_NAN);
    assertThat(takeFlags()).isEqualTo(NV);
    assertThat(Fp64.div(INF, 0, RNE, env)).isEqualTo(INF);
    assertThat(takeFlags()).isZero();
  }

  @Test
  void anExactZeroSumIsNegativeOnlyWhenRoundingDown() {
    for (int rm = RNE; rm <= RMM; rm++) {
      long zero = rm == RDN ? MINUS_ZERO : 0;
      assertThat(Fp64.sub(bits(3), bits(3), rm, env)).isEqualTo(zero);
      assertThat(Fp64.fma(bits(3), bits(2), bits(-6), rm, env)).isEqualTo(zero);
      assertThat(Fp32.sub(0x4000_0000, 0x4000_0000, rm, env)).isEqualTo((int) (zero >>> 32));
      assertThat(Fp64.add(MINUS_ZERO, MINUS_ZERO, rm, env)).isEqualTo(MINUS_ZERO);
    }
    assertThat(env.flags).isZero();
  }

  @Test
  void overflowGivesInfinityOrTheLargestFiniteNumberDependingOnTheDirection() {
    long max = bits(Double.MAX_VALUE);
    long[] positive = {INF, max, max, INF, INF};
    long[] negative = {INF, max, INF, max, INF};
    for (int rm = RNE; rm <= RMM; rm++) {
      assertThat(Fp64.add(max, max, rm, env)).isEqualTo(positive[rm]);
      assertThat(Fp64.mul(max, bits(-2), rm, env)).isEqualTo(negative[rm] | MINUS_ZERO);
      assertThat(takeFlags()).isEqualTo(OF | NX);
    }
  }

  @Test
  void tininessIsDetectedAfterRounding() {
    // (1 + 2^-52) × (1 - 2^-52) = 1 - 2^-104: 53 bits with an unbounded exponent make that 1.
    assertThat(Fp64.mul(MIN_NORMAL + 1, bits(1) - 2, RNE, env)).isEqualTo(MIN_NORMAL);
    assertThat(takeFlags()).isEqualTo(NX);
    assertThat(Fp64.mul(MIN_NORMAL + 1, bits(1) - 2, RTZ, env)).isEqualTo(MIN_NORMAL - 1);
    assertThat(takeFlags()).isEqualTo(NX | UF);
    // 1 - 2^-53 would be left as it is, so the same result has underflowed.
    assertThat(Fp64.mul(MIN_NORMAL, bits(1) - 1, RNE, env)).isEqualTo(MIN_NORMAL);
    assertThat(takeFlags()).isEqualTo(NX | UF);
  }

  @Test
  void minimumAndMaximumPreferANumberToANan() {
    assertThat(Fp64.min(QNAN, bits(5), env)).isEqualTo(bits(5));
    assertThat(Fp64.max(bits(5), QNAN, env)).isEqualTo(bits(5));
    assertThat(Fp64.max(QNAN, QNAN, env)).isEqualTo(Fp64.CANONICAL_NAN);
    assertThat(Fp32.min(0, QNAN_S, env)).isZero();
    assertThat(Fp32.max(QNAN_S, QNAN_S, env)).isEqualTo(Fp32.CANONICAL_NAN);
    assertThat(takeFlags()).isZero();
    assertThat(Fp64.min(SNAN, bits(5), env)).isEqualTo(bits(5));
    assertThat(takeFlags()).isEqualTo(NV);
    assertThat(Fp32.max(QNAN_S, SNAN_S, env)).isEqualTo(Fp32.CANONICAL_NAN);
    assertThat(takeFlags()).isEqualTo(NV);
  }

  @Test
  void minusZeroIsLessThanZeroForMinimumAndMaximumButEqualInComparisons() {
    assertThat(Fp64.min(0, MINUS_ZERO, env)).isEqualTo(MINUS_ZERO);
    assertThat(Fp64.max(MINUS_ZERO, 0, env)).isZero();
    assertThat(Fp32.min(0, MINUS_ZERO_S, env)).isEqualTo(MINUS_ZERO_S);
    assertThat(Fp32.max(MINUS_ZERO_S, 0, env)).isZero();
    assertThat(Fp64.eq(0, MINUS_ZERO, env)).isOne();
    assertThat(Fp64.lt(MINUS_ZERO, 0, env)).isZero();
    assertThat(Fp32.le(0, MINUS_ZERO_S, env)).isOne();
    assertThat(env.flags).isZero();
  }

  @Test
  void equalityIsQuietAndOrderSignals() {
    assertThat(Fp64.eq(QNAN, QNAN, env) + Fp32.eq(QNAN_S, 0, env)).isZero();
    assertThat(takeFlags()).isZero();
    assertThat(Fp64.eq(SNAN, 0, env)).isZero();
    assertThat(takeFlags()).isEqualTo(NV);
    assertThat(Fp32.eq(0, SNAN_S, env)).isZero();
    assertThat(takeFlags()).isEqualTo(NV);
    assertThat(Fp64.lt(QNAN, 0, env)).isZero();
    assertThat(takeFlags()).isEqualTo(NV);
    assertThat(Fp64.le(0, QNAN, env)).isZero();
    assertThat(takeFlags()).isEqualTo(NV);
    assertThat(Fp32.lt(0, QNAN_S, env)).isZero();
    assertThat(takeFlags()).isEqualTo(NV);
    assertThat(Fp32.le(QNAN_S, QNAN_S, env)).isZero();
    assertThat(takeFlags()).isEqualTo(NV);
  }

  @Test
  void classesAreNumberedFromNegativeInfinityToQuietNan() {
    long[] values = {
      INF | MINUS_ZERO, bits(-1), MINUS_ZERO | 1, MINUS_ZERO, 0, 1, MIN_NORMAL, INF, SNAN, QNAN
    };
    int[] singles = {
      0xff80_0000,
      0x8080_0000,
      0x807f_ffff,
      MINUS_ZERO_S,
      0,
      1,
      0x7f7f_ffff,
      0x7f80_0000,
      SNAN_S,
      QNAN_S
    };
    for (int i = 0; i < values.length; i++) {
      assertThat(Fp64.classify(values[i])).isEqualTo(1L << i);
      assertThat(Fp32.classify(singles[i])).isEqualTo(1L << i);
    }
  }

  @Test
  void signInjectionLeavesNansAlone() {
    assertThat(Fp64.sgnj(SNAN, MINUS_ZERO)).isEqualTo(SNAN | MINUS_ZERO);
    assertThat(Fp64.sgnjn(SNAN, MINUS_ZERO)).isEqualTo(SNAN);
    assertThat(Fp64.sgnjx(SNAN | MINUS_ZERO, MINUS_ZERO)).isEqualTo(SNAN);
    assertThat(Fp32.sgnj(SNAN_S, MINUS_ZERO_S)).isEqualTo(SNAN_S | MINUS_ZERO_S);
    assertThat(Fp32.sgnjn(SNAN_S, 0)).isEqualTo(SNAN_S | MINUS_ZERO_S);
    assertThat(Fp32.sgnjx(SNAN_S, 0)).isEqualTo(SNAN_S);
  }

  @Test
  void conversionsToIntegersSaturateAndANanCountsAsTooLarge() {
    long[] tooLarge = {QNAN, SNAN, INF, bits(1e30)};
    for (long value : tooLarge) {
      assertThat(Fp64.toI32(value, RTZ, env)).isEqualTo(Integer.MAX_VALUE);
      assertThat(Fp64.toU32(value, RTZ, env)).isEqualTo(-1);
      assertThat(Fp64.toI64(value, RTZ, env)).isEqualTo(Long.MAX_VALUE);
      assertThat(Fp64.toU64(value, RTZ, env)).isEqualTo(-1);
    }
    assertThat(Fp64.toI32(bits(-1e30), RTZ, env)).isEqualTo(Integer.MIN_VALUE);
    assertThat(Fp64.toU32(bits(-1), RTZ, env)).isZero();
    assertThat(Fp64.toI64(bits(-1e30), RTZ, env)).isEqualTo(Long.MIN_VALUE);
    assertThat(Fp64.toU64(bits(-1), RTZ, env)).isZero();
    assertThat(Fp32.toI32(QNAN_S, RTZ, env)).isEqualTo(Integer.MAX_VALUE);
    assertThat(takeFlags()).isEqualTo(NV);
  }

  @Test
  void aNegativeFractionThatRoundsToZeroFitsAnUnsignedInteger() {
    assertThat(Fp64.toU64(bits(-0.75), RTZ, env)).isZero();
    assertThat(Fp64.toU32(bits(-0.75), RUP, env)).isZero();
    assertThat(takeFlags()).isEqualTo(NX);
    assertThat(Fp64.toU32(bits(-0.75), RNE, env)).isZero();
    assertThat(takeFlags()).isEqualTo(NV);
  }

  @Test
  void unsigned32BitResultsAreSignExtended() {
    assertThat(Fp64.toU32(bits(4_294_967_295.0), RNE, env)).isEqualTo(-1);
    assertThat(Fp32.toU32(Float.floatToRawIntBits(0x1p31f), RNE, env)).isEqualTo(Integer.MIN_VALUE);
    assertThat(env.flags).isZero();
  }

  @Test
  void whatIsNotProperlyBoxedReadsAsTheCanonicalNan() {
    assertThat(Fp32.box(0x8000_0001)).isEqualTo(0xffff_ffff_8000_0001L);
    assertThat(Fp32.box(0x3f80_0000)).isEqualTo(0xffff_ffff_3f80_0000L);
    assertThat(Fp32.unbox(0xffff_ffff_3f80_0000L)).isEqualTo(0x3f80_0000);
    assertThat(Fp32.unbox(0xffff_ffff_8000_0001L)).isEqualTo(0x8000_0001);
    assertThat(Fp32.unbox(0x0000_0000_3f80_0000L)).isEqualTo(Fp32.CANONICAL_NAN);
    assertThat(Fp32.unbox(0xffff_fffe_ffff_ffffL)).isEqualTo(Fp32.CANONICAL_NAN);
    assertThat(Fp32.unbox(0x7fff_ffff_3f80_0000L)).isEqualTo(Fp32.CANONICAL_NAN);
  }

  private int takeFlags() {
    int flags = env.flags;
    env.flags = 0;
    return flags;
  }

  private static long bits(double x) {
    return Double.doubleToRawLongBits(x);
  }
}
