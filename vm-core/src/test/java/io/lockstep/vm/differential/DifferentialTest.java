package io.lockstep.vm.differential;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.engine.EngineOptions;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random instructions of all extensions, with rare operands, traps of all kinds, page tables and
 * PMP, on our machine and on QEMU: registers, CSRs, traps and memory are the same.
 *
 * <p>Run longer with {@code -Dlockstep.differential.instructions=10000000}.
 */
final class DifferentialTest {
  private static final int BLOCKS = 80;
  private static final int HOT = 3;
  private static final int UNITS_MAX = 200;
  private static final long STEPS_MAX = 50_000_000;
  private static final long STEPS_WANTED =
      Long.getLong("lockstep.differential.instructions", 200_000);

  private final long seed = Long.getLong("lockstep.seed", System.nanoTime());
  private final Templates templates = new Templates();
  @TempDir Path directory;

  @Test
  void ourMachineDoesWhatQemuDoes() throws Exception {
    Qemu.assumeInstalled();
    long steps = 0;
    for (long s = seed; steps < STEPS_WANTED; s++) {
      RandomImage image = new RandomImage(s, BLOCKS, templates);
      OurMachine machine = new OurMachine(image.image(), EngineOptions.INTERPRETER);
      machine.run(STEPS_MAX);
      Comparison comparison =
          new Comparison(image, machine.ram(), Qemu.run(image.image(), directory));
      assertThat(comparison.firstDifference()).as("-Dlockstep.seed=%d", s).isEmpty();
      steps += machine.steps();
    }
    System.out.println(steps + " instructions are the same on QEMU; first seed " + seed);
  }

  @Test
  void stopsAndCacheDropsAndTiersDoNotShow() throws Exception {
    long steps = 0;
    for (long s = seed; steps < STEPS_WANTED; s++) {
      RandomImage image = new RandomImage(s, BLOCKS, templates);
      OurMachine plain = new OurMachine(image.image(), EngineOptions.INTERPRETER);
      plain.run(STEPS_MAX);
      OurMachine disturbed =
          new OurMachine(
              image.image(), EngineOptions.eager(EngineOptions.Mode.REGIONS, HOT, UNITS_MAX));
      disturbed.runDisturbed(new Random(s), STEPS_MAX);
      assertThat(disturbed.steps()).as("-Dlockstep.seed=%d", s).isEqualTo(plain.steps());
      assertThat(disturbed.digest()).as("-Dlockstep.seed=%d", s).isEqualTo(plain.digest());
      steps += plain.steps();
    }
  }
}
