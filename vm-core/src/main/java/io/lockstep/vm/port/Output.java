package io.lockstep.vm.port;

/**
 * Something that the machine gives the world. Emitted on the vCPU thread, at the execution point
 * {@code Machine.steps()} reports during the call. All bytes have been copied out of guest memory.
 */
public sealed interface Output {

  /**
   * Bytes that the guest wrote to a console.
   *
   * @param device a {@link DeviceId}
   * @param data one or more bytes
   */
  record ConsoleBytes(int device, byte[] data) implements Output {}

  /**
   * A frame that the guest sent.
   *
   * @param device the {@link DeviceId} of the virtio network device
   * @param frame a 12-byte {@code virtio_net_hdr_v1} followed by the Ethernet frame without FCS;
   *     with segmentation offload negotiated up to 65,562 bytes
   */
  record PacketSent(int device, byte[] frame) implements Output {}

  /**
   * A disk request. Idempotent: issued again (same id) by whoever goes live while it is in flight.
   *
   * @param device the {@link DeviceId} of the virtio block device
   * @param requestId unique per device and machine run, increasing
   * @param op what to do
   * @param sector first 512-byte sector; the device has checked the range against its capacity
   * @param length bytes to read, write, discard or zero; a multiple of 512; 0 for a flush
   * @param data the bytes to write, else empty
   */
  record BlockRequest(int device, long requestId, BlockOp op, long sector, long length, byte[] data)
      implements Output {}

  /**
   * The guest asks for random bytes; answered by {@link Input.EntropyDelivery}.
   *
   * @param device the {@link DeviceId}
   * @param requestId unique per device and run, increasing
   * @param length bytes wanted, 1 to 4096
   */
  record EntropyRequest(int device, long requestId, int length) implements Output {}

  /** What a disk request does. */
  enum BlockOp {
    READ,
    WRITE,
    FLUSH,
    DISCARD,
    WRITE_ZEROES
  }
}
