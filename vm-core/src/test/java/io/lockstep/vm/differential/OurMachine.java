package io.lockstep.vm.differential;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.engine.EngineOptions;
import io.lockstep.vm.firmware.BootException;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.machine.VirtualMachine.Stop;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.OutputSink;
import java.util.List;
import java.util.Random;

/** Runs an image on our machine. */
final class OurMachine {
  private static final byte[] NONE = {};
  private final Machine machine;
  private final int length;

  OurMachine(byte[] image, EngineOptions options) throws BootException {
    length = image.length;
    machine =
        new Machine(
            new MachineConfig(Layout.MEMORY, ClockMode.INSTRUCTIONS, Firmware.GUEST, 0, List.of()),
            OutputSink.NONE,
            options);
    machine.boot(new KernelLoader.Images(NONE, NONE, image), "");
  }

  /** Runs at most {@code stepsMax} steps without interruption. */
  void run(long stepsMax) {
    assertThat(machine.run(stepsMax)).as("the image comes to its end").isEqualTo(Stop.HALTED);
  }

  /** Runs in pieces of random length, and drops the engine's caches now and then. */
  void runDisturbed(Random random, long stepsMax) {
    while (machine.run(machine.steps() + random.nextLong(1, 2000)) == Stop.LIMIT) {
      if (random.nextInt(16) == 0) {
        machine.dropCaches();
      }
      assertThat(machine.steps()).as("the image comes to its end").isLessThan(stepsMax);
    }
  }

  long steps() {
    return machine.steps();
  }

  long digest() {
    return machine.digest();
  }

  byte[] ram() {
    byte[] bytes = new byte[length];
    machine.ram().read(GuestRam.BASE, bytes, 0, length);
    return bytes;
  }
}
