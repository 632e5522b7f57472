package io.lockstep.vm.virtio;

import io.lockstep.vm.memory.GuestRam;

/**
 * The buffers of one request, read from the descriptor table once: first those that the device
 * reads, then those that it writes (virtio 1.2 §2.7.4.2). All of them lie in RAM. Buffers may
 * overlap and may be empty.
 */
final class DescriptorChain {
  private final int head;
  private final BufferList readable = new BufferList();
  private final BufferList writable = new BufferList();

  DescriptorChain(int head) {
    this.head = head;
  }

  /** The index that goes into the used ring. */
  int head() {
    return head;
  }

  /** What the device may read. */
  BufferList readable() {
    return readable;
  }

  /** What the device may write. */
  BufferList writable() {
    return writable;
  }

  /** The number of buffers. */
  int count() {
    return readable.count() + writable.count();
  }

  /** Adds a buffer; false if the driver broke the order or pointed outside of RAM. */
  boolean add(GuestRam ram, long address, long length, boolean deviceWrites) {
    if (!ram.contains(address, length) || (!deviceWrites && writable.count() > 0)) {
      return false;
    }
    (deviceWrites ? writable : readable).add(address, length);
    return true;
  }
}
