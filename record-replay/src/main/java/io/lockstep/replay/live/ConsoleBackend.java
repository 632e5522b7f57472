package io.lockstep.replay.live;

/** The real I/O of one console (UART or virtio). */
public interface ConsoleBackend extends AutoCloseable {
  /**
   * Starts delivering typed bytes as {@link io.lockstep.vm.port.Input.ConsoleInput}s for {@code
   * device}.
   */
  void start(int device, InputPort typed);

  /** Shows bytes. Does not block for long. */
  void write(byte[] data);

  @Override
  void close();
}
