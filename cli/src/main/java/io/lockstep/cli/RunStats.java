package io.lockstep.cli;

import io.lockstep.host.vm.LiveVm;
import io.lockstep.replay.live.VcpuStats;
import io.lockstep.vm.engine.EngineStats;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import java.util.Locale;

/** What a machine has done, in a line for its user. */
final class RunStats {
  private RunStats() {}

  /** The numbers so far. While the machine runs they are a few milliseconds old. */
  static String of(LiveVm vm) {
    VcpuStats s = vm.loop().stats();
    double run = seconds(s.runTicks());
    double mips = run > 0 ? s.point() / run / 1e6 : 0;
    String engine = vm.machine() instanceof Machine m ? ", " + engine(m) : "";
    return String.format(
        Locale.ROOT,
        "%,d instructions in %.2f s (%.0f MIPS), idle %.2f s%s, %,d inputs, %,d outputs,"
            + " %,d clock readings",
        s.point(),
        run,
        mips,
        seconds(s.idleTicks()),
        engine,
        s.inputs(),
        s.outputs(),
        s.readings());
  }

  /** What the machine's engine has done. */
  static String engine(Machine machine) {
    EngineStats e = machine.engineStats();
    return String.format(
        Locale.ROOT,
        "%,d traps, %,d TLB misses, %.1f %% of %,d steps in %s (%,d regions of %,d guest"
            + " instructions compiled, %,d of them dropped), %.1f %% interpreted",
        machine.traps(),
        machine.pageWalks(),
        100 * share(e, machine),
        machine.steps(),
        e.machineCode() ? "machine code" : "compiled bytecode",
        e.units(),
        e.instructions(),
        e.evicted(),
        100 - 100 * share(e, machine));
  }

  private static double share(EngineStats stats, Machine machine) {
    return (double) stats.stepsInRegions() / Math.max(1, machine.steps());
  }

  private static double seconds(long ticks) {
    return (double) ticks / MachineConfig.TIMEBASE_HZ;
  }
}
