package io.lockstep.vm.port;

/**
 * Names a device in inputs and outputs: 0 is the UART; {@code 1 + n} is the virtio-mmio slot n (0
 * to 7).
 */
public final class DeviceId {
  /** The NS16550A UART. */
  public static final int UART = 0;

  /** The number of virtio-mmio slots of the board. */
  public static final int VIRTIO_SLOTS = 8;

  private DeviceId() {}

  /** The id of the device in virtio-mmio slot {@code slot}, 0 to 7. */
  public static int virtio(int slot) {
    if (slot < 0 || slot >= VIRTIO_SLOTS) {
      throw new IllegalArgumentException("virtio slot " + slot + " is not within 0 to 7");
    }
    return 1 + slot;
  }

  /** The virtio-mmio slot of a device id made by {@link #virtio}. */
  public static int slot(int deviceId) {
    return deviceId - 1;
  }
}
