package io.lockstep.replay.live;

import io.lockstep.vm.machine.VirtualMachine.Power;

/** How a vCPU loop ended. */
public sealed interface VcpuEnd {
  /** The execution point at the end. */
  long point();

  /** The guest powered off, wants a reboot, or reported a failure. */
  record Halted(long point, Power power) implements VcpuEnd {}

  /** {@link VcpuLoop#stop} was called; the machine could go on. */
  record Stopped(long point) implements VcpuEnd {}
}
