package io.lockstep.vm.virtio;

import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.snapshot.StateFormatException;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.snapshot.Stateful;

/**
 * The device's side of a split virtqueue (virtio 1.2 §2.7).
 *
 * <pre>
 * descriptor table  16 * size bytes   { le64 address; le32 length; le16 flags; le16 next }
 * driver area       6 + 2 * size      { le16 flags; le16 idx; le16 ring[size]; le16 used_event }
 * device area       6 + 8 * size      { le16 flags; le16 idx; { le32 id; le32 length } ring[size]; le16 avail_event }
 * </pre>
 *
 * <p>The addresses are checked when the driver enables the queue and do not change until reset, so
 * no access to the areas needs another check. Everything that is read from them is checked each
 * time. A ring that makes no sense turns the queue {@linkplain #isBroken broken}: it yields nothing
 * any more, until reset.
 *
 * <p>The areas may overlap one another and the buffers, if the guest wants to hurt itself. So
 * whoever takes requests in a loop must limit the rounds to {@link #size()}.
 */
final class Virtqueue implements Stateful {
  /** The most descriptors in one chain, indirect ones included. */
  static final int CHAIN_MAX = 1024;

  /** The largest ring of any device. */
  static final int SIZE_MAX = 1024;

  private static final int DESCRIPTOR = 16;
  private static final int FLAG_NEXT = 1;
  private static final int FLAG_WRITE = 2;
  private static final int FLAG_INDIRECT = 4;
  private static final int DRIVER_FLAG_NO_INTERRUPT = 1;

  private final GuestRam ram;
  private final int sizeMax;
  private int size;
  private boolean ready;
  private boolean broken;
  private boolean eventIdx;
  private boolean indirect;
  private long descriptors;
  private long driverArea;
  private long deviceArea;
  private int nextAvailable;
  private int nextUsed;
  private int signalledUsed;

  /**
   * Makes a queue that is not ready.
   *
   * @param sizeMax the largest ring offered, a power of two up to {@link #SIZE_MAX}
   */
  Virtqueue(GuestRam ram, int sizeMax) {
    this.ram = ram;
    this.sizeMax = sizeMax;
    this.size = sizeMax;
  }

  int sizeMax() {
    return sizeMax;
  }

  /** Ring entries. */
  int size() {
    return size;
  }

  boolean isReady() {
    return ready;
  }

  /** Whether the driver has broken the rules on this queue. */
  boolean isBroken() {
    return broken;
  }

  /** Forgets everything, as before the driver touched the queue. */
  void reset() {
    size = sizeMax;
    ready = false;
    broken = false;
    eventIdx = false;
    indirect = false;
    descriptors = 0;
    driverArea = 0;
    deviceArea = 0;
    nextAvailable = 0;
    nextUsed = 0;
    signalledUsed = 0;
  }

  /** Sets the ring size as the driver wrote it; judged in {@link #enable}. Ignored while ready. */
  void setSize(int value) {
    if (!ready) {
      size = value;
    }
  }

  /**
   * Replaces half of an address: of the descriptor table (0), the driver area (1) or the device
   * area (2). Ignored while ready.
   */
  void setAddress(int area, boolean high, int value) {
    if (ready) {
      return;
    }
    switch (area) {
      case 0 -> descriptors = half(descriptors, high, value);
      case 1 -> driverArea = half(driverArea, high, value);
      default -> deviceArea = half(deviceArea, high, value);
    }
  }

  private static long half(long old, boolean high, int value) {
    long v = value & 0xffff_ffffL;
    return high ? old & 0xffff_ffffL | v << 32 : old & 0xffff_ffff_0000_0000L | v;
  }

  /**
   * Makes the queue ready with the negotiated features, or broken if its size or addresses are
   * impossible.
   */
  void enable(long features) {
    if (ready) {
      return;
    }
    eventIdx = (features & Features.EVENT_IDX) != 0;
    indirect = (features & Features.INDIRECT_DESC) != 0;
    if (placementIsValid()) {
      ready = true;
    } else {
      broken = true;
    }
  }

  /** The driver's write of 0 to QueueReady: the queue stops, its settings stay. */
  void disable() {
    ready = false;
    nextAvailable = 0;
    nextUsed = 0;
    signalledUsed = 0;
  }

  private boolean placementIsValid() {
    return size > 0
        && size <= sizeMax
        && (size & (size - 1)) == 0
        && (descriptors & 15) == 0
        && (driverArea & 1) == 0
        && (deviceArea & 3) == 0
        && ram.contains(descriptors, (long) DESCRIPTOR * size)
        && ram.contains(driverArea, 6 + 2L * size)
        && ram.contains(deviceArea, 6 + 8L * size);
  }

  /** The driver's next request; null if there is none or the queue is not usable. */
  DescriptorChain poll() {
    if (!ready || broken) {
      return null;
    }
    int waiting = ram.getShort(driverArea + 2) - nextAvailable & 0xffff;
    if (waiting == 0) {
      return null;
    }
    if (waiting > size) {
      broken = true;
      return null;
    }
    int head = ram.getShort(driverArea + 4 + 2L * (nextAvailable & (size - 1)));
    DescriptorChain chain = new DescriptorChain(head);
    if (!walk(chain, head)) {
      broken = true;
      return null;
    }
    nextAvailable = nextAvailable + 1 & 0xffff;
    return chain;
  }

  /** Gives the last {@code n} polled requests back, as if they had not been taken. */
  void unpoll(int n) {
    nextAvailable = nextAvailable - n & 0xffff;
  }

  /**
   * Asks the driver to notify when it adds a request after those polled so far (§2.7.10). Without
   * EVENT_IDX it always does.
   */
  void wantNotification() {
    if (ready && !broken && eventIdx) {
      ram.putShort(deviceArea + 4 + 8L * size, nextAvailable);
    }
  }

  private boolean walk(DescriptorChain chain, int head) {
    long table = descriptors;
    long entries = size;
    long index = head;
    boolean inIndirect = false;
    while (true) {
      if (index >= entries || chain.count() >= CHAIN_MAX) {
        return false;
      }
      long at = table + DESCRIPTOR * index;
      long address = ram.getLong(at);
      long length = ram.getInt(at + 8) & 0xffff_ffffL;
      int flags = ram.getShort(at + 12);
      int next = ram.getShort(at + 14);
      if ((flags & FLAG_INDIRECT) != 0) {
        // §2.7.5.3: one level, and nothing follows it.
        if (!indirect || inIndirect || (flags & FLAG_NEXT) != 0 || !isTable(address, length)) {
          return false;
        }
        inIndirect = true;
        table = address;
        entries = length / DESCRIPTOR;
        index = 0;
        continue;
      }
      if (!chain.add(ram, address, length, (flags & FLAG_WRITE) != 0)) {
        return false;
      }
      if ((flags & FLAG_NEXT) == 0) {
        return true;
      }
      index = next;
    }
  }

  private boolean isTable(long address, long length) {
    return length >= DESCRIPTOR && length % DESCRIPTOR == 0 && ram.contains(address, length);
  }

  /** Puts a finished request into the used ring. Does nothing if the queue is no longer usable. */
  void push(int head, long written) {
    if (!ready || broken) {
      return;
    }
    long element = deviceArea + 4 + 8L * (nextUsed & (size - 1));
    ram.putInt(element, head);
    ram.putInt(element + 4, (int) written);
    nextUsed = nextUsed + 1 & 0xffff;
    ram.putShort(deviceArea + 2, nextUsed);
  }

  /** Whether the requests pushed since the last call deserve an interrupt (§2.7.7, §2.7.10). */
  boolean takeInterrupt() {
    if (!ready || broken || nextUsed == signalledUsed) {
      return false;
    }
    int old = signalledUsed;
    signalledUsed = nextUsed;
    if (!eventIdx) {
      return (ram.getShort(driverArea) & DRIVER_FLAG_NO_INTERRUPT) == 0;
    }
    int event = ram.getShort(driverArea + 4 + 2L * size);
    return (nextUsed - event - 1 & 0xffff) < (nextUsed - old & 0xffff);
  }

  @Override
  public void save(StateWriter out) {
    out.section("virtqueue").putInt(size).putBoolean(ready).putBoolean(broken);
    out.putBoolean(eventIdx).putBoolean(indirect);
    out.putLong(descriptors).putLong(driverArea).putLong(deviceArea);
    out.putInt(nextAvailable).putInt(nextUsed).putInt(signalledUsed);
  }

  @Override
  public void restore(StateReader in) {
    in.section("virtqueue");
    size = in.getInt();
    ready = in.getBoolean();
    broken = in.getBoolean();
    eventIdx = in.getBoolean();
    indirect = in.getBoolean();
    descriptors = in.getLong();
    driverArea = in.getLong();
    deviceArea = in.getLong();
    nextAvailable = in.getInt(0, 0xffff);
    nextUsed = in.getInt(0, 0xffff);
    signalledUsed = in.getInt(0, 0xffff);
    if (ready && !placementIsValid()) {
      throw new StateFormatException("saved state has a virtqueue outside of the guest's memory");
    }
  }
}
