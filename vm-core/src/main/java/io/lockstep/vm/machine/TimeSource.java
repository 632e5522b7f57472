package io.lockstep.vm.machine;

/** The guest's clock as a device sees it: a function of the machine's state alone. */
@FunctionalInterface
public interface TimeSource {
  /** Ticks of {@link MachineConfig#TIMEBASE_HZ} at the present step, never less than before. */
  long ticks();
}
