package io.lockstep.vm.asm;

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

/** Machines that start test code in M-mode at the bottom of RAM. */
public final class BareMachine {
  /** Address of the first instruction. */
  public static final long BASE = GuestRam.BASE;

  /** Most steps of a test program. */
  public static final long STEPS_MAX = 1_000_000;

  private static final int MEMORY = 8 << 20;
  private static final byte[] NONE = {};

  private BareMachine() {}

  /** An assembler for code at the start of RAM. */
  public static Assembler program() {
    return new Assembler(BASE, 1 << 16);
  }

  /** A machine about to run the program. */
  public static Machine of(Assembler program) {
    return of(program, OutputSink.NONE, EngineOptions.INTERPRETER);
  }

  /** A machine about to run the program. */
  public static Machine of(Assembler program, OutputSink sink, EngineOptions options) {
    MachineConfig config =
        new MachineConfig(MEMORY, ClockMode.INSTRUCTIONS, Firmware.GUEST, 0, List.of());
    Machine machine = new Machine(config, sink, options);
    try {
      machine.boot(new KernelLoader.Images(NONE, NONE, program.bytes()), "");
    } catch (BootException e) {
      throw new IllegalStateException(e);
    }
    return machine;
  }

  /** Runs a program until it powers off. */
  public static Machine run(Assembler program) {
    Machine machine = of(program);
    assertThat(machine.run(STEPS_MAX)).isEqualTo(Stop.HALTED);
    return machine;
  }
}
