package io.lockstep.vm.engine.x86;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.lockstep.vm.differential.RareValues;
import io.lockstep.vm.engine.region.Region;
import io.lockstep.vm.engine.region.RegionBlock;
import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.isa.FloatOps;
import io.lockstep.vm.isa.IntegerOps;
import io.lockstep.vm.isa.Op;
import io.lockstep.vm.machine.GuestClock;
import io.lockstep.vm.memory.GuestRam;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** One operation at a time, in machine code and as the interpreter does it. */
class MachineCodeOperationsTest {
  private static final int REGIONS = 60;
  private static final int RUNS = 60;
  private static final long PAGE = 0xffff_ffff_8123_4000L;
  private static final long FUEL = 1000;

  /** Everything that is computation and has a second implementation to compare with. */
  static IntStream operations() {
    return IntStream.rangeClosed(Op.MUL, Op.FCVT_D_S)
        .filter(code -> !Op.touchesMemory(code))
        .filter(code -> code < Op.LR_W || code >= Op.FADD_S);
  }

  @ParameterizedTest
  @MethodSource("operations")
  void anOperationInMachineCodeGivesTheSameResultAndFlags(int code) {
    assumeTrue(CodeSpace.isPossible(), "this host runs no code that is made here");
    long seed = Long.getLong("lockstep.seed", System.nanoTime());
    Random random = new Random(seed);
    RareValues values = new RareValues(random);
    Hart machine = new Hart(new GuestClock());
    GuestRam ram = new GuestRam(GuestRam.PAGE);
    CodeSpace space = space(machine, ram);
    for (int r = 0; r < REGIONS; r++) {
      long op = draw(code, random);
      space.forgetAll();
      space.compile(new Region(new RegionBlock[] {block(op, random)}), 0);
      for (int run = 0; run < RUNS; run++) {
        Hart expected = new Hart(new GuestClock());
        for (int i = 1; i < 32; i++) {
          machine.x[i] = values.integer();
          machine.x[Op.F0 + i] = values.floating();
        }
        machine.fp.flags = 0;
        System.arraycopy(machine.x, 0, expected.x, 0, machine.x.length);
        if (Op.isFloatingPoint(code)) {
          FloatOps.execute(op, expected);
        } else {
          IntegerOps.execute(op, expected.x);
        }
        long before = machine.x[Op.rs1(op)];
        long second = machine.x[Op.rs2(op)];
        int why = execute(space, machine, op);
        expected.x[Op.SINK] = machine.x[Op.SINK];
        assertThat(machine.x)
            .as(
                "%s rd %d, %x and %x, came back with %d: -Dlockstep.seed=%d",
                Op.name(code), Op.rd(op), before, second, why, seed)
            .isEqualTo(expected.x);
        assertThat(machine.fp.flags)
            .as(
                "flags of %s of %x and %x, came back with %d: -Dlockstep.seed=%d",
                Op.name(code), before, second, why, seed)
            .isEqualTo(expected.fp.flags);
      }
    }
  }

  @Test
  void aUnitThatNeedsMoreFuelOrFloatingPointIsNotEntered() {
    assumeTrue(CodeSpace.isPossible(), "this host runs no code that is made here");
    Hart hart = new Hart(new GuestClock());
    CodeSpace space = space(hart, new GuestRam(GuestRam.PAGE));
    long add = Op.of(Op.FADD_D, Op.F0 + 1, Op.F0 + 1, Op.F0 + 1, 7);
    space.compile(
        new Region(new RegionBlock[] {new RegionBlock(new long[] {add}, new int[] {64, 68})}), 0);
    long unit = space.unitAt(0, 64);
    space.prepare(0, false, false);
    assertThat(space.run(unit, PAGE, FUEL, 0)).isEqualTo(Layout.FLOAT);
    space.prepare(0, true, false);
    assertThat(space.run(unit, PAGE, 0, 0)).isEqualTo(Layout.FUEL);
    assertThat(space.pc()).isEqualTo(PAGE + 64);
    assertThat(space.left()).isZero();
    assertThat(space.run(unit, PAGE, FUEL, 0)).isEqualTo(Layout.MISS);
    assertThat(space.pc()).isEqualTo(PAGE + 68);
    assertThat(space.left()).isEqualTo(FUEL - 1);
    space.forget(0);
    assertThat(space.unitAt(0, 64)).isZero();
  }

  private static CodeSpace space(Hart hart, GuestRam ram) {
    long[] none = new long[2 * Layout.SLOTS_PER_CONTEXT * 4];
    return CodeSpace.create(hart.x, none, none.clone(), ram).orElseThrow();
  }

  /** Runs the unit at 0; what it asks for is done as the run loop does it. */
  private static int execute(CodeSpace space, Hart hart, long op) {
    space.prepare(0, true, true);
    int why = space.run(space.unitAt(0, 0), PAGE, FUEL, 0);
    hart.fp.flags |= space.floatFlags();
    if (why != Layout.ASK) {
      return why;
    }
    assertThat(space.sites().op(space.site())).isEqualTo(op);
    if (Op.isFloatingPoint(Op.code(op))) {
      FloatOps.execute(op, hart);
    } else {
      IntegerOps.execute(op, hart.x);
    }
    int then = space.resume(space.site(), space.left(), 0);
    hart.fp.flags |= space.floatFlags();
    assertThat(then).isEqualTo(Layout.MISS);
    return why;
  }

  /**
   * The operation among others that make registers be taken into the host's: how often a register
   * is named decides where it lives.
   */
  private static RegionBlock block(long op, Random random) {
    int fillers = random.nextInt(4);
    long[] ops = new long[1 + 12 * fillers];
    int[] offsets = new int[ops.length + 1];
    int at = 0;
    ops[at++] = op;
    for (int i = 0; i < 12 * fillers; i++) {
      // They change nothing.
      int register = 1 + random.nextInt(31);
      ops[at++] = Op.of(Op.MV, register, register, 0, 0);
    }
    for (int i = 0; i < offsets.length; i++) {
      offsets[i] = 4 * i;
    }
    return new RegionBlock(ops, offsets);
  }

  private static long draw(int code, Random random) {
    if (!Op.isFloatingPoint(code)) {
      int rd = random.nextInt(8) == 0 ? Op.SINK : 1 + random.nextInt(4);
      int imm = random.nextInt(64);
      boolean word = code == Op.RORIW;
      return Op.of(code, rd, random.nextInt(5), random.nextInt(5), word ? imm & 31 : imm);
    }
    boolean toInteger =
        code >= Op.FEQ_S && code <= Op.FCVT_LU_S
            || code >= Op.FEQ_D && code <= Op.FCVT_LU_D
            || code == Op.FMV_X_W
            || code == Op.FMV_X_D;
    boolean fromInteger =
        code >= Op.FCVT_S_W && code <= Op.FCVT_S_LU
            || code >= Op.FCVT_D_W && code <= Op.FCVT_D_LU
            || code == Op.FMV_W_X
            || code == Op.FMV_D_X;
    int rd = toInteger ? 1 + random.nextInt(4) : Op.F0 + random.nextInt(4);
    int rs1 = fromInteger ? random.nextInt(5) : Op.F0 + random.nextInt(4);
    int rounding = random.nextInt(6);
    int third = Op.F0 + random.nextInt(4);
    return Op.of(
        code, rd, rs1, Op.F0 + random.nextInt(4), third << 8 | (rounding == 5 ? 7 : rounding));
  }
}
