package io.lockstep.replay.live;

import io.lockstep.vm.port.Output;

/** The real I/O of one virtio block device. */
public interface BlockBackend extends AutoCloseable {
  /** Capacity in 512-byte sectors. */
  long sectors();

  /**
   * Starts a request and returns at once. Its {@link io.lockstep.vm.port.Input.BlockCompletion} is
   * offered to {@code completions} later, from any thread and in any order. A request that is still
   * in flight may be submitted a second time with the same id.
   */
  void submit(Output.BlockRequest request, InputPort completions);

  /** Waits for requests in flight and closes. */
  @Override
  void close();
}
