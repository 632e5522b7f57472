package io.lockstep.bench;

import io.lockstep.vm.engine.EngineOptions;
import io.lockstep.vm.engine.EngineStats;
import io.lockstep.vm.firmware.BootException;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.port.Output;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * One of our machines as a process of its own, so that it starts as cold as its peers: the guest's
 * console is standard output, statistics go to standard error. It has no devices but the UART, and
 * the instruction clock.
 *
 * <p>Arguments: {@code interpreter|regions MEMORY_MIB bare FIRMWARE} or {@code interpreter|regions
 * MEMORY_MIB linux KERNEL INITRD COMMAND_LINE}.
 */
public final class GuestProcess {
  private static final FileOutputStream CONSOLE = new FileOutputStream(FileDescriptor.out);

  private GuestProcess() {}

  /** See the class comment. */
  public static void main(String[] args) throws IOException, BootException {
    boolean bare = args[2].equals("bare");
    EngineOptions options =
        args[0].equals("interpreter") ? EngineOptions.INTERPRETER : EngineOptions.REGIONS;
    MachineConfig config =
        new MachineConfig(
            Long.parseLong(args[1]) << 20,
            ClockMode.INSTRUCTIONS,
            bare ? Firmware.GUEST : Firmware.BUILT_IN,
            1_700_000_000_000_000_000L,
            List.of());
    Machine machine = new Machine(config, GuestProcess::print, options);
    byte[] first = Files.readAllBytes(Path.of(args[3]));
    if (bare) {
      machine.boot(new KernelLoader.Images(new byte[0], new byte[0], first), "");
    } else {
      machine.boot(KernelLoader.Images.of(first, Files.readAllBytes(Path.of(args[4]))), args[5]);
    }
    machine.run(Long.MAX_VALUE);
    EngineStats stats = machine.engineStats();
    System.err.printf(
        "%d steps, %.1f %% of them compiled; %d regions of %d instructions%n",
        machine.steps(),
        100.0 * stats.stepsInRegions() / Math.max(1, machine.steps()),
        stats.units(),
        stats.instructions());
  }

  private static void print(Output output) {
    if (output instanceof Output.ConsoleBytes bytes) {
      try {
        CONSOLE.write(bytes.data());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
