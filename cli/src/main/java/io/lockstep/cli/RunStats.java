package io.lockstep.cli;

import io.lockstep.host.vm.LiveVm;
import io.lockstep.replay.live.VcpuStats;
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
    String engine =
        vm.machine() instanceof Machine m
            ? ", %,d traps, %,d TLB misses".formatted(m.traps(), m.pageWalks())
            : "";
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

  private static double seconds(long ticks) {
    return (double) ticks / MachineConfig.TIMEBASE_HZ;
  }
}
