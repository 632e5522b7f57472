package io.lockstep.replay;

import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.port.OutputSink;

/**
 * Makes machines. Recorder, replayer, divergence finder and pair know the machine only through this
 * and {@link VirtualMachine}, so that each of them runs on a simulated machine as well, and so that
 * one program can make machines with different engines.
 */
@FunctionalInterface
public interface MachineFactory {
  /**
   * Makes a machine at execution point 0 with empty RAM.
   *
   * @param config what the machine is
   * @param outputs where its outputs go, see {@link io.lockstep.replay.live.OutputRelay}
   */
  VirtualMachine create(MachineConfig config, OutputSink outputs);
}
