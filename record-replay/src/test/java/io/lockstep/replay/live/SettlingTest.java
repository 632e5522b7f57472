package io.lockstep.replay.live;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.replay.Replayer;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.guest.SmallGuest;
import io.lockstep.vm.machine.GuestClock;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.VirtualMachine.Stop;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.OutputSink;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Why {@link Replayer#settle} is there: an input alone does not end a guest's waiting. */
class SettlingTest {
  private static Machine idleGuest() throws Exception {
    MachineConfig config =
        new MachineConfig(32L << 20, ClockMode.HOST, MachineConfig.Firmware.BUILT_IN, 0, List.of());
    Machine machine = new Machine(config, OutputSink.NONE);
    machine.boot(KernelLoader.Images.of(SmallGuest.elf(), new byte[0]), "beat_ms=100");
    while (machine.run(Long.MAX_VALUE) != Stop.IDLE) {
      // Until it waits for its first beat.
    }
    return machine;
  }

  private static Input wakeUp(Machine machine) {
    return new Input.ClockReading(machine.wakeTicks(), 0, GuestClock.NEVER);
  }

  @Test
  void whatStandsAtAPointDoesNotDependOnHowOftenTheMachineWasAskedToRunThere() throws Exception {
    Machine machine = idleGuest();
    machine.apply(wakeUp(machine));
    Replayer.settle(machine);
    long settled = machine.digest();
    machine.requestStop();
    machine.run(Long.MAX_VALUE);
    assertThat(machine.digest()).isEqualTo(settled);
  }

  @Test
  void withoutSettlingItWould() throws Exception {
    Machine machine = idleGuest();
    machine.apply(wakeUp(machine));
    long applied = machine.digest();
    long point = machine.steps();
    machine.requestStop();
    machine.run(Long.MAX_VALUE);
    assertThat(machine.steps()).isEqualTo(point);
    assertThat(machine.digest()).isNotEqualTo(applied);
  }
}
