package io.lockstep.vm.machine;

import java.util.List;

/**
 * Everything that defines a machine before its first step, apart from the contents of its memory.
 * Two machines of equal configuration, equal starting memory and equal inputs do the same for ever.
 *
 * @param memoryBytes RAM, a multiple of 4096, 1 MiB to 64 GiB
 * @param clock how guest time passes
 * @param firmware who answers SBI calls
 * @param rtcBaseNanos wall clock (ns since 1970) that the RTC shows when the guest's clock is 0
 * @param virtio the device in each virtio-mmio slot, at most 8
 */
public record MachineConfig(
    long memoryBytes,
    ClockMode clock,
    Firmware firmware,
    long rtcBaseNanos,
    List<VirtioSlot> virtio) {

  /** Ticks per second of the guest's clock, {@code timebase-frequency}. */
  public static final long TIMEBASE_HZ = 10_000_000L;

  /**
   * With {@link ClockMode#INSTRUCTIONS}: steps per tick, so a guest second is 200 million steps.
   */
  public static final int STEPS_PER_TICK = 20;

  /** The smallest RAM. */
  public static final long MEMORY_MIN = 1L << 20;

  /** The largest RAM. */
  public static final long MEMORY_MAX = 64L << 30;

  /** Checks and copies. */
  public MachineConfig {
    if (memoryBytes < MEMORY_MIN || memoryBytes > MEMORY_MAX || memoryBytes % 4096 != 0) {
      throw new IllegalArgumentException(
          "memory of %d bytes is not a multiple of 4 KiB between 1 MiB and 64 GiB"
              .formatted(memoryBytes));
    }
    virtio = List.copyOf(virtio);
    if (virtio.size() > io.lockstep.vm.port.DeviceId.VIRTIO_SLOTS) {
      throw new IllegalArgumentException("more than 8 virtio devices");
    }
  }

  /** How guest time passes. */
  public enum ClockMode {
    /**
     * {@link io.lockstep.vm.port.Input.ClockReading}s of the host's clock, and a slope between
     * them.
     */
    HOST,
    /**
     * {@link #STEPS_PER_TICK} steps a tick, and waiting skips to the next timer: repeatable without
     * any log.
     */
    INSTRUCTIONS
  }

  /** Who answers SBI calls. */
  public enum Firmware {
    /** The machine itself; the kernel starts in S-mode. */
    BUILT_IN,
    /** Guest software in M-mode, started at the bottom of RAM. */
    GUEST
  }

  /** What sits in a virtio-mmio slot. */
  public sealed interface VirtioSlot {
    /** An empty slot (device id 0). */
    record Empty() implements VirtioSlot {}

    /**
     * A disk.
     *
     * @param sectors capacity in 512-byte sectors
     * @param readOnly whether writes fail
     * @param serial up to 20 ASCII characters
     */
    record Block(long sectors, boolean readOnly, String serial) implements VirtioSlot {}

    /**
     * A network card.
     *
     * @param mac 48 bits in the low bits, first byte of the address highest
     * @param offloads whether checksum and segmentation offload are offered to the guest
     */
    record Net(long mac, boolean offloads) implements VirtioSlot {}

    /** A console. */
    record Console() implements VirtioSlot {}

    /** An entropy source. */
    record Entropy() implements VirtioSlot {}
  }
}
