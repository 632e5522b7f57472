package io.lockstep.vm.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.firmware.BootException;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.port.OutputSink;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RegionsTest {
  private static final int PROGRAMS = 12;
  private static final int STEPS = 60_000;

  private static Machine machine(RandomProgram program, EngineOptions options)
      throws BootException {
    MachineConfig config =
        new MachineConfig(4 << 20, ClockMode.INSTRUCTIONS, Firmware.GUEST, 0, List.of());
    Machine machine = new Machine(config, OutputSink.NONE, options);
    machine.boot(new KernelLoader.Images(new byte[0], new byte[0], program.image()), "");
    program.writeTables(machine.ram());
    return machine;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 5, 40})
  void bothTiersDoTheSameAtEveryPointOfARandomProgram(int threshold) throws BootException {
    long firstSeed = 1000L * threshold;
    long inRegions = 0;
    for (long seed = firstSeed; seed < firstSeed + PROGRAMS; seed++) {
      RandomProgram program = new RandomProgram(seed);
      Random random = new Random(seed);
      Machine interpreted = machine(program, EngineOptions.INTERPRETER);
      Machine compiled = machine(program, EngineOptions.eager(threshold, 30));
      while (interpreted.steps() < STEPS) {
        long to = interpreted.steps() + 1 + random.nextInt(random.nextBoolean() ? 20 : 20_000);
        interpreted.run(to);
        compiled.run(to);
        assertThat(compiled.pc())
            .as("pc at step %d, seed %d", to, seed)
            .isEqualTo(interpreted.pc());
        assertThat(compiled.digest())
            .as("digest at step %d, seed %d", to, seed)
            .isEqualTo(interpreted.digest());
        if (random.nextInt(10) == 0) {
          compiled.dropCaches();
        }
      }
      inRegions += compiled.engineStats().stepsInRegions();
    }
    assertThat(inRegions).as("steps in regions").isGreaterThan((long) PROGRAMS * STEPS / 10);
  }
}
