package io.lockstep.replay.live;

import io.lockstep.vm.port.Output;

/** A source of random bytes for virtio entropy devices. */
@FunctionalInterface
public interface EntropyBackend {
  /**
   * Answers a request with an {@link io.lockstep.vm.port.Input.EntropyDelivery}, now or later, from
   * any thread.
   */
  void request(Output.EntropyRequest request, InputPort deliveries);
}
