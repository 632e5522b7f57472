package io.lockstep.vm.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.asm.Assembler;
import io.lockstep.vm.asm.BareMachine;
import io.lockstep.vm.engine.EngineOptions.Mode;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.port.OutputSink;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What compiled code changes in CSRs holds for the interpreted code that comes next. */
class CsrsInCompiledCodeTest {
  private static final int MSTATUS = 0x300;
  private static final int MTVEC = 0x305;
  private static final int FS = 0x6000;
  private static final int MPP = 0x1800;
  private static final int MPRV = 0x2_0000;
  private static final int ROUNDS = 60;
  private static final int STEPS = 12_000;

  /**
   * A hot loop that opens and closes something, and now and then, where it is closed, a cold access
   * that must trap.
   */
  private static Assembler program(boolean floatingPoint) {
    Assembler a = BareMachine.program();
    a.jal(0, "start");
    a.label("handler");
    a.addi(20, 20, 1).li(9, 60).jal(0, "loop");
    a.label("start");
    a.li(5, BareMachine.BASE + 4).csrw(MTVEC, 5);
    a.li(8, BareMachine.BASE + 0x4000).li(9, 60).li(6, floatingPoint ? FS : MPRV).li(7, MPP);
    a.label("loop");
    if (floatingPoint) {
      a.csrs(MSTATUS, 6).fld(0, 8, 0).addi(10, 10, 1).csrc(MSTATUS, 6);
    } else {
      a.csrc(MSTATUS, 6).ld(11, 8, 0).csrc(MSTATUS, 7).csrs(MSTATUS, 6);
    }
    a.addi(9, 9, -1).bne(9, 0, "loop");
    if (floatingPoint) {
      a.fld(1, 8, 8);
    } else {
      a.ld(12, 8, 8);
    }
    return a.jal(0, "loop");
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aCsrWrittenByAUnitCountsForTheBlockThatIsInterpretedNext(boolean floatingPoint) {
    long seed = Long.getLong("lockstep.seed", System.nanoTime());
    long inUnits = 0;
    for (int round = 0; round < ROUNDS; round++) {
      Random random = new Random(seed + round);
      Assembler program = program(floatingPoint);
      Machine interpreted = BareMachine.of(program);
      Machine compiled =
          BareMachine.of(program, OutputSink.NONE, EngineOptions.eager(Mode.REGIONS, 40, 99));
      while (interpreted.steps() < STEPS) {
        long to = interpreted.steps() + 1 + random.nextInt(300);
        interpreted.run(to);
        compiled.run(to);
        assertThat(compiled.register(20))
            .as("traps up to step %d: -Dlockstep.seed=%d", to, seed + round)
            .isEqualTo(interpreted.register(20));
        assertThat(compiled.digest())
            .as("-Dlockstep.seed=%d", seed + round)
            .isEqualTo(interpreted.digest());
      }
      assertThat(interpreted.register(20)).isGreaterThan(10);
      inUnits += compiled.engineStats().stepsInRegions();
    }
    assertThat(inUnits).isGreaterThan((long) ROUNDS * STEPS / 10);
  }
}
