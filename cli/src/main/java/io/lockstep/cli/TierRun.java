package io.lockstep.cli;

import io.lockstep.host.vm.SetupException;
import io.lockstep.host.vm.VmParts;
import io.lockstep.host.vm.VmSpec;
import io.lockstep.vm.engine.EngineOptions;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.TierComparison;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import java.io.PrintWriter;
import java.util.List;
import java.util.Optional;

/** A guest without inputs, run in both tiers at once and compared. */
final class TierRun {
  private static final long INTERVAL_STEPS = 20_000_000;

  private final VmSpec spec;
  private final PrintWriter err;

  TierRun(VmSpec spec, PrintWriter err) {
    this.spec = spec;
    this.err = err;
  }

  /** Runs until the guest halts or waits for ever, or the tiers differ. Returns the exit status. */
  int run() {
    if (!spec.disks().isEmpty() || spec.net().isPresent()) {
      throw new UserError(
          "Tiers are compared without disks and network; record such a guest with 'lockstep"
              + " record', and then use 'lockstep log bisect --tiers'.");
    }
    try {
      Machine interpreted = machine(EngineOptions.INTERPRETER, TierRun::show);
      Machine compiled = machine(EngineOptions.standard(), OutputSink.NONE);
      Optional<TierComparison.Difference> difference =
          new TierComparison(interpreted, compiled).run(Long.MAX_VALUE, INTERVAL_STEPS);
      err.println("lockstep: interpreted: " + RunStats.engine(interpreted));
      err.println("lockstep: compiled: " + RunStats.engine(compiled));
      err.println(
          difference.isPresent()
              ? "lockstep: the tiers differ after the step at execution point %,d (pc 0x%x)."
                  .formatted(difference.get().step(), interpreted.pc())
              : "lockstep: the tiers agree up to execution point %,d."
                  .formatted(interpreted.steps()));
      err.flush();
      return difference.isPresent() ? ExitStatus.FAILURE : ExitStatus.OK;
    } catch (SetupException | IllegalArgumentException e) {
      throw new UserError(e.getMessage(), e);
    }
  }

  private Machine machine(EngineOptions engine, OutputSink sink) throws SetupException {
    MachineConfig config = VmParts.machineConfig(spec, List.of());
    MachineConfig alone =
        new MachineConfig(
            config.memoryBytes(),
            MachineConfig.ClockMode.INSTRUCTIONS,
            config.firmware(),
            config.rtcBaseNanos(),
            List.of());
    return VmParts.bootedMachine(spec, alone, sink, engine);
  }

  private static void show(Output output) {
    if (output instanceof Output.ConsoleBytes bytes) {
      System.out.write(bytes.data(), 0, bytes.data().length);
      System.out.flush();
    }
  }
}
