package io.lockstep.vm.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.asm.Assembler;
import io.lockstep.vm.asm.BareMachine;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.VirtualMachine.Stop;
import io.lockstep.vm.port.OutputSink;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A run that is asked to stop leaves the machine as one that was told the exact step. */
final class StopPointTest {
  private static final int PAGES = 600;
  private static final int FIRST_PAGE = 2;

  /** Goes through many pages, each for the first time, and writes a character in each. */
  private static Assembler walkThroughPages(int instructions) {
    Assembler a = new Assembler(BareMachine.BASE, (PAGES + FIRST_PAGE + 1) * 4096);
    a.li(8, 0x1000_0000L).li(9, 'x').li(10, 4096);
    a.jal(0, "page0");
    for (int i = 0; i < PAGES; i++) {
      a.padTo(BareMachine.BASE + (FIRST_PAGE + i) * 4096L).label("page" + i);
      for (int k = 0; k < instructions; k++) {
        a.addi(11, 11, 1);
      }
      a.word(9 << 20 | 8 << 15 | 0x23); // sb x9, 0(x8)
      a.jal(0, "page" + (i + 1));
    }
    a.padTo(BareMachine.BASE + (FIRST_PAGE + PAGES) * 4096L).label("page" + PAGES);
    return a.powerOff(5, 6);
  }

  @ParameterizedTest
  @ValueSource(ints = {30, 41, 57})
  void aRequestedStopAndAnExactOneAreTheSame(int instructions) {
    Assembler program = walkThroughPages(instructions);
    AtomicReference<Machine> asked = new AtomicReference<>();
    OutputSink stopAtOutput = output -> asked.get().requestStop();
    asked.set(BareMachine.of(program, stopAtOutput, EngineOptions.INTERPRETER));
    Machine exact = BareMachine.of(program);
    int stops = 0;
    while (asked.get().run(BareMachine.STEPS_MAX) == Stop.REQUESTED) {
      stops++;
      exact.run(asked.get().steps());
      assertThat(exact.digest()).as("stop %d", stops).isEqualTo(asked.get().digest());
    }
    assertThat(stops).isGreaterThan(1);
  }
}
