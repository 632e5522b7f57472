package io.lockstep.replay.live;

import io.lockstep.vm.port.Input;

/** Where backends hand in inputs for the machine. */
@FunctionalInterface
public interface InputPort {
  /**
   * Takes an input, from any thread, without blocking. Inputs of one thread keep their order. After
   * the machine has stopped for good inputs are dropped.
   */
  void offer(Input input);
}
