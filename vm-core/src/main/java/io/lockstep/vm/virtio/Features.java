package io.lockstep.vm.virtio;

/** Feature bits that every device type shares (virtio 1.2 §6). */
final class Features {
  static final long INDIRECT_DESC = 1L << 28;
  static final long EVENT_IDX = 1L << 29;
  static final long VERSION_1 = 1L << 32;

  /** What the transport and the rings offer for every device. */
  static final long COMMON = INDIRECT_DESC | EVENT_IDX | VERSION_1;

  private Features() {}
}
