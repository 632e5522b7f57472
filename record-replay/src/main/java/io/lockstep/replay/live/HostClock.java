package io.lockstep.replay.live;

import io.lockstep.vm.machine.MachineConfig;

/** The host's clock in the guest's unit. May be read from any thread; never decreases. */
@FunctionalInterface
public interface HostClock {
  /** Nanoseconds in a tick. */
  long NANOS_PER_TICK = 1_000_000_000L / MachineConfig.TIMEBASE_HZ;

  /** Ticks of {@link MachineConfig#TIMEBASE_HZ}. */
  long ticks();

  /** The host's monotonic clock, showing {@code startTicks} now. */
  static HostClock startingAt(long startTicks) {
    long origin = System.nanoTime();
    return () -> startTicks + (System.nanoTime() - origin) / NANOS_PER_TICK;
  }
}
