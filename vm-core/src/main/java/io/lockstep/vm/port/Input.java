package io.lockstep.vm.port;

/**
 * Something that the world gives the machine. Every non-deterministic thing that can reach a guest
 * is one of these, and nothing else is: a machine is a pure function of its configuration, its
 * starting memory and the sequence of (execution point, input).
 *
 * <p>An input is applied on the vCPU thread, before the step at its execution point. Byte arrays
 * are owned by the input once it is made: neither side changes them afterwards.
 */
public sealed interface Input {

  /**
   * A reading of the host's clock. Until the next one the guest's clock is {@code ticks + (steps
   * since) * slope / 2^32}, and never more than {@code capTicks}.
   *
   * @param ticks the guest's clock now, in ticks of {@link
   *     io.lockstep.vm.machine.MachineConfig#TIMEBASE_HZ}; a value below the current guest time is
   *     applied as the current guest time, so time never runs backwards
   * @param slopeQ32 ticks per step as an unsigned 32.32 fixed-point number, 0 or more
   * @param capTicks the last tick that may be shown before the next reading; at least {@code ticks}
   */
  record ClockReading(long ticks, long slopeQ32, long capTicks) implements Input {}

  /**
   * Bytes typed at a console. What does not fit into the device's FIFO is kept by the device and
   * offered as the guest makes room.
   *
   * @param device a {@link DeviceId} of a UART or a virtio console
   * @param data 1 to 4096 bytes
   */
  record ConsoleInput(int device, byte[] data) implements Input {}

  /**
   * The end of a disk request that was announced by {@link Output.BlockRequest}.
   *
   * @param device the {@link DeviceId} of the virtio block device
   * @param requestId the request's id; a completion that matches no request in flight is ignored
   * @param status how it ended
   * @param data the bytes that were read: for a read that succeeded exactly the requested length,
   *     otherwise empty
   */
  record BlockCompletion(int device, long requestId, BlockStatus status, byte[] data)
      implements Input {}

  /**
   * A frame from the network. Dropped by the device if the guest offers no buffer for it.
   *
   * @param device the {@link DeviceId} of the virtio network device
   * @param frame a 12-byte {@code virtio_net_hdr_v1} (virtio 1.2 §5.1.6; {@code num_buffers} is
   *     ignored) followed by the Ethernet frame without FCS
   */
  record PacketArrival(int device, byte[] frame) implements Input {}

  /**
   * Random bytes for a virtio entropy device.
   *
   * @param device the {@link DeviceId}
   * @param requestId the id from {@link Output.EntropyRequest}
   * @param data 1 to the requested number of bytes
   */
  record EntropyDelivery(int device, long requestId, byte[] data) implements Input {}

  /** Something that the operator does to the machine. */
  record Control(ControlKind kind) implements Input {}

  /** How a disk request ended. */
  enum BlockStatus {
    OK,
    IO_ERROR,
    UNSUPPORTED
  }

  /** The operator's controls. */
  enum ControlKind {
    /** A short press of the power button: the guest is asked to shut down. */
    POWER_BUTTON,
    /** Cold stop: the machine halts at this point. */
    POWER_OFF,
    /**
     * All guest-visible translations are dropped. Valid at any point; used where two sides must
     * start from empty translation state.
     */
    FLUSH_TRANSLATIONS
  }
}
