package io.lockstep.replay.live;

/** The real I/O of one virtio network device. */
public interface NetBackend extends AutoCloseable {
  /**
   * Starts delivering received frames as {@link io.lockstep.vm.port.Input.PacketArrival}s for
   * {@code device}.
   */
  void start(int device, InputPort arrivals);

  /**
   * Sends a frame: a 12-byte {@code virtio_net_hdr_v1} and the Ethernet frame. Does not block;
   * drops when its queue is full, as a wire does.
   */
  void send(byte[] frame);

  @Override
  void close();
}
