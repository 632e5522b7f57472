package io.lockstep.host.net;

/**
 * A VM's cable: to a switch in another process, to one in this process, or to a TAP device. A
 * packet is a 12-byte {@code virtio_net_hdr_v1} followed by an Ethernet frame, in both directions.
 */
public interface NetworkLink extends AutoCloseable {
  /** Gets packets. */
  interface Receiver {
    /**
     * A packet came in. The bytes are valid during the call only. Blocking here holds up the link
     * and so, in the end, whoever sends.
     */
    void packet(byte[] data, int offset, int length);
  }

  /**
   * Sends a packet. From any thread; never blocks. While the link is down or full, packets are
   * dropped and counted, as a network does.
   */
  void send(byte[] packet, int offset, int length);

  /** Packets that {@link #send} dropped. */
  long dropped();

  @Override
  void close();
}
