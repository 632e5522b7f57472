package io.lockstep.vm.isa.fp;

import static io.lockstep.vm.isa.fp.ExactArithmetic.DOUBLE;
import static io.lockstep.vm.isa.fp.ExactArithmetic.SINGLE;
import static io.lockstep.vm.isa.fp.FpEnv.DZ;
import static io.lockstep.vm.isa.fp.FpEnv.NV;
import static io.lockstep.vm.isa.fp.FpEnv.NX;
import static io.lockstep.vm.isa.fp.FpEnv.OF;
import static io.lockstep.vm.isa.fp.FpEnv.UF;

import io.lockstep.vm.isa.fp.ExactArithmetic.Outcome;
import java.math.BigInteger;
import java.util.Random;

/** Every operation that rounds, beside its exact twin and the flags it is able to raise. */
enum FpOperation {
  ADD_D(
      Operands.DOUBLES,
      2,
      NX | OF | NV,
      (v, rm, env) -> Fp64.add(v[0], v[1], rm, env),
      (v, rm) -> DOUBLE.add(v[0], v[1], rm)),
  SUB_D(
      Operands.DOUBLES,
      2,
      NX | OF | NV,
      (v, rm, env) -> Fp64.sub(v[0], v[1], rm, env),
      (v, rm) -> DOUBLE.add(v[0], v[1] ^ Bits.SIGN_D, rm)),
  MUL_D(
      Operands.DOUBLES,
      2,
      NX | UF | OF | NV,
      (v, rm, env) -> Fp64.mul(v[0], v[1], rm, env),
      (v, rm) -> DOUBLE.mul(v[0], v[1], rm)),
  DIV_D(
      Operands.DOUBLES,
      2,
      NX | UF | OF | DZ | NV,
      (v, rm, env) -> Fp64.div(v[0], v[1], rm, env),
      (v, rm) -> DOUBLE.div(v[0], v[1], rm)),
  SQRT_D(
      Operands.DOUBLES,
      1,
      NX | NV,
      (v, rm, env) -> Fp64.sqrt(v[0], rm, env),
      (v, rm) -> DOUBLE.sqrt(v[0], rm)),
  FMADD_D(
      Operands.DOUBLES,
      3,
      NX | UF | OF | NV,
      (v, rm, env) -> Fp64.fma(v[0], v[1], v[2], rm, env),
      (v, rm) -> DOUBLE.fma(v[0], v[1], v[2], rm)),
  FMSUB_D(
      Operands.DOUBLES,
      3,
      NX | UF | OF | NV,
      (v, rm, env) -> Fp64.fmsub(v[0], v[1], v[2], rm, env),
      (v, rm) -> DOUBLE.fma(v[0], v[1], v[2] ^ Bits.SIGN_D, rm)),
  FNMSUB_D(
      Operands.DOUBLES,
      3,
      NX | UF | OF | NV,
      (v, rm, env) -> Fp64.fnmsub(v[0], v[1], v[2], rm, env),
      (v, rm) -> DOUBLE.fma(v[0] ^ Bits.SIGN_D, v[1], v[2], rm)),
  FNMADD_D(
      Operands.DOUBLES,
      3,
      NX | UF | OF | NV,
      (v, rm, env) -> Fp64.fnmadd(v[0], v[1], v[2], rm, env),
      (v, rm) -> DOUBLE.fma(v[0] ^ Bits.SIGN_D, v[1], v[2] ^ Bits.SIGN_D, rm)),
  ADD_S(
      Operands.SINGLES,
      2,
      NX | OF | NV,
      (v, rm, env) -> Bits.wide(Fp32.add((int) v[0], (int) v[1], rm, env)),
      (v, rm) -> SINGLE.add(v[0], v[1], rm)),
  SUB_S(
      Operands.SINGLES,
      2,
      NX | OF | NV,
      (v, rm, env) -> Bits.wide(Fp32.sub((int) v[0], (int) v[1], rm, env)),
      (v, rm) -> SINGLE.add(v[0], v[1] ^ Bits.SIGN_S, rm)),
  MUL_S(
      Operands.SINGLES,
      2,
      NX | UF | OF | NV,
      (v, rm, env) -> Bits.wide(Fp32.mul((int) v[0], (int) v[1], rm, env)),
      (v, rm) -> SINGLE.mul(v[0], v[1], rm)),
  DIV_S(
      Operands.SINGLES,
      2,
      NX | UF | OF | DZ | NV,
      (v, rm, env) -> Bits.wide(Fp32.div((int) v[0], (int) v[1], rm, env)),
      (v, rm) -> SINGLE.div(v[0], v[1], rm)),
  SQRT_S(
      Operands.SINGLES,
      1,
      NX | NV,
      (v, rm, env) -> Bits.wide(Fp32.sqrt((int) v[0], rm, env)),
      (v, rm) -> SINGLE.sqrt(v[0], rm)),
  FMADD_S(
      Operands.SINGLES,
      3,
      NX | UF | OF | NV,
      (v, rm, env) -> Bits.wide(Fp32.fma((int) v[0], (int) v[1], (int) v[2], rm, env)),
      (v, rm) -> SINGLE.fma(v[0], v[1], v[2], rm)),
  FMSUB_S(
      Operands.SINGLES,
      3,
      NX | UF | OF | NV,
      (v, rm, env) -> Bits.wide(Fp32.fmsub((int) v[0], (int) v[1], (int) v[2], rm, env)),
      (v, rm) -> SINGLE.fma(v[0], v[1], v[2] ^ Bits.SIGN_S, rm)),
  FNMSUB_S(
      Operands.SINGLES,
      3,
      NX | UF | OF | NV,
      (v, rm, env) -> Bits.wide(Fp32.fnmsub((int) v[0], (int) v[1], (int) v[2], rm, env)),
      (v, rm) -> SINGLE.fma(v[0] ^ Bits.SIGN_S, v[1], v[2], rm)),
  FNMADD_S(
      Operands.SINGLES,
      3,
      NX | UF | OF | NV,
      (v, rm, env) -> Bits.wide(Fp32.fnmadd((int) v[0], (int) v[1], (int) v[2], rm, env)),
      (v, rm) -> SINGLE.fma(v[0] ^ Bits.SIGN_S, v[1], v[2] ^ Bits.SIGN_S, rm)),
  SINGLE_FROM_DOUBLE(
      Operands.DOUBLES_AROUND_SINGLES,
      1,
      NX | UF | OF | NV,
      (v, rm, env) -> Bits.wide(Fp32.fromF64(v[0], rm, env)),
      (v, rm) -> SINGLE.convert(DOUBLE, v[0], rm)),
  DOUBLE_FROM_SINGLE(
      Operands.SINGLES,
      1,
      NV,
      (v, rm, env) -> Fp64.fromF32((int) v[0], env),
      (v, rm) -> DOUBLE.convert(SINGLE, v[0], rm)),
  W_FROM_D(
      Operands.DOUBLES_AROUND_INTEGERS,
      1,
      NX | NV,
      (v, rm, env) -> Fp64.toI32(v[0], rm, env),
      (v, rm) -> DOUBLE.toInteger(v[0], Bits.MIN_W, Bits.MAX_W, rm)),
  WU_FROM_D(
      Operands.DOUBLES_AROUND_INTEGERS,
      1,
      NX | NV,
      (v, rm, env) -> Fp64.toU32(v[0], rm, env),
      (v, rm) -> Bits.signExtend(DOUBLE.toInteger(v[0], BigInteger.ZERO, Bits.MAX_WU, rm))),
  L_FROM_D(
      Operands.DOUBLES_AROUND_INTEGERS,
      1,
      NX | NV,
      (v, rm, env) -> Fp64.toI64(v[0], rm, env),
      (v, rm) -> DOUBLE.toInteger(v[0], Bits.MIN_L, Bits.MAX_L, rm)),
  LU_FROM_D(
      Operands.DOUBLES_AROUND_INTEGERS,
      1,
      NX | NV,
      (v, rm, env) -> Fp64.toU64(v[0], rm, env),
      (v, rm) -> DOUBLE.toInteger(v[0], BigInteger.ZERO, Bits.MAX_LU, rm)),
  W_FROM_S(
      Operands.SINGLES,
      1,
      NX | NV,
      (v, rm, env) -> Fp32.toI32((int) v[0], rm, env),
      (v, rm) -> SINGLE.toInteger(v[0], Bits.MIN_W, Bits.MAX_W, rm)),
  WU_FROM_S(
      Operands.SINGLES,
      1,
      NX | NV,
      (v, rm, env) -> Fp32.toU32((int) v[0], rm, env),
      (v, rm) -> Bits.signExtend(SINGLE.toInteger(v[0], BigInteger.ZERO, Bits.MAX_WU, rm))),
  L_FROM_S(
      Operands.SINGLES,
      1,
      NX | NV,
      (v, rm, env) -> Fp32.toI64((int) v[0], rm, env),
      (v, rm) -> SINGLE.toInteger(v[0], Bits.MIN_L, Bits.MAX_L, rm)),
  LU_FROM_S(
      Operands.SINGLES,
      1,
      NX | NV,
      (v, rm, env) -> Fp32.toU64((int) v[0], rm, env),
      (v, rm) -> SINGLE.toInteger(v[0], BigInteger.ZERO, Bits.MAX_LU, rm)),
  D_FROM_W(
      Operands.INTEGERS,
      1,
      0,
      (v, rm, env) -> Fp64.fromI32(v[0]),
      (v, rm) -> DOUBLE.fromInteger(Bits.signed32(v[0]), rm)),
  D_FROM_WU(
      Operands.INTEGERS,
      1,
      0,
      (v, rm, env) -> Fp64.fromU32(v[0]),
      (v, rm) -> DOUBLE.fromInteger(BigInteger.valueOf(Bits.wide((int) v[0])), rm)),
  D_FROM_L(
      Operands.INTEGERS,
      1,
      NX,
      (v, rm, env) -> Fp64.fromI64(v[0], rm, env),
      (v, rm) -> DOUBLE.fromInteger(BigInteger.valueOf(v[0]), rm)),
  D_FROM_LU(
      Operands.INTEGERS,
      1,
      NX,
      (v, rm, env) -> Fp64.fromU64(v[0], rm, env),
      (v, rm) -> DOUBLE.fromInteger(Bits.unsigned(v[0]), rm)),
  S_FROM_W(
      Operands.INTEGERS,
      1,
      NX,
      (v, rm, env) -> Bits.wide(Fp32.fromI32(v[0], rm, env)),
      (v, rm) -> SINGLE.fromInteger(Bits.signed32(v[0]), rm)),
  S_FROM_WU(
      Operands.INTEGERS,
      1,
      NX,
      (v, rm, env) -> Bits.wide(Fp32.fromU32(v[0], rm, env)),
      (v, rm) -> SINGLE.fromInteger(BigInteger.valueOf(Bits.wide((int) v[0])), rm)),
  S_FROM_L(
      Operands.INTEGERS,
      1,
      NX,
      (v, rm, env) -> Bits.wide(Fp32.fromI64(v[0], rm, env)),
      (v, rm) -> SINGLE.fromInteger(BigInteger.valueOf(v[0]), rm)),
  S_FROM_LU(
      Operands.INTEGERS,
      1,
      NX,
      (v, rm, env) -> Bits.wide(Fp32.fromU64(v[0], rm, env)),
      (v, rm) -> SINGLE.fromInteger(Bits.unsigned(v[0]), rm));

  /** The operation as the machine does it. */
  interface Machine {
    long apply(long[] operands, int rm, FpEnv env);
  }

  /** The operation as it should be. */
  interface Twin {
    Outcome apply(long[] operands, int rm);
  }

  private enum Operands {
    DOUBLES,
    SINGLES,
    DOUBLES_AROUND_SINGLES,
    DOUBLES_AROUND_INTEGERS,
    INTEGERS
  }

  private final Operands operands;
  private final int count;
  final int possibleFlags;
  final Machine machine;
  final Twin twin;

  FpOperation(Operands operands, int count, int possibleFlags, Machine machine, Twin twin) {
    this.operands = operands;
    this.count = count;
    this.possibleFlags = possibleFlags;
    this.machine = machine;
    this.twin = twin;
  }

  long[] draw(Random random) {
    return switch (operands) {
      case DOUBLES -> doubles(random);
      case SINGLES -> singles(random);
      case INTEGERS -> new long[] {RareOperands.integer(random)};
      case DOUBLES_AROUND_SINGLES ->
          random.nextInt(4) == 0
              ? doubles(random)
              : new long[] {
                Fp64.fromF32((int) singles(random)[0], new FpEnv())
                    ^ (1L << random.nextInt(30))
                    ^ (random.nextBoolean() ? 0 : random.nextInt(3))
              };
      case DOUBLES_AROUND_INTEGERS ->
          random.nextInt(3) == 0
              ? doubles(random)
              : new long[] {
                Double.doubleToRawLongBits(RareOperands.integer(random) * 0.25)
                    + random.nextInt(-1, 2)
              };
    };
  }

  private long[] doubles(Random random) {
    return new RareOperands(random, 52, 11).draw(count);
  }

  private long[] singles(Random random) {
    return new RareOperands(random, 23, 8).draw(count);
  }

  private static final class Bits {
    static final long SIGN_D = 1L << 63;
    static final long SIGN_S = 1L << 31;
    static final BigInteger MIN_W = BigInteger.valueOf(Integer.MIN_VALUE);
    static final BigInteger MAX_W = BigInteger.valueOf(Integer.MAX_VALUE);
    static final BigInteger MAX_WU = BigInteger.valueOf(0xffff_ffffL);
    static final BigInteger MIN_L = BigInteger.valueOf(Long.MIN_VALUE);
    static final BigInteger MAX_L = BigInteger.valueOf(Long.MAX_VALUE);
    static final BigInteger MAX_LU = BigInteger.ONE.shiftLeft(64).subtract(BigInteger.ONE);

    static long wide(int bits) {
      return bits & 0xffff_ffffL;
    }

    static BigInteger signed32(long i) {
      int low = (int) i;
      return BigInteger.valueOf(low);
    }

    static BigInteger unsigned(long i) {
      return BigInteger.valueOf(i).mod(BigInteger.ONE.shiftLeft(64));
    }

    static Outcome signExtend(Outcome outcome) {
      return new Outcome((int) outcome.bits(), outcome.flags());
    }
  }
}
