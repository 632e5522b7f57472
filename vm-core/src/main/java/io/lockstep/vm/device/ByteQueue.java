package io.lockstep.vm.device;

import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.snapshot.Stateful;

/** A bounded queue of bytes, for what was typed at a console and the guest has not read yet. */
public final class ByteQueue implements Stateful {
  private final String name;
  private final int capacity;
  private byte[] ring = new byte[64];
  private int head;
  private int size;

  /**
   * Makes an empty queue.
   *
   * @param name section name in saved state
   * @param capacity the most bytes it holds
   */
  public ByteQueue(String name, int capacity) {
    this.name = name;
    this.capacity = capacity;
  }

  /** Appends as much as fits and returns how much that was; what was there first stays. */
  public int add(byte[] data, int offset, int length) {
    int n = Math.min(length, capacity - size);
    reserve(size + n);
    for (int i = 0; i < n; i++) {
      ring[(head + size + i) % ring.length] = data[offset + i];
    }
    size += n;
    return n;
  }

  /** Takes the oldest byte, 0 to 255; -1 if there is none. */
  public int poll() {
    if (size == 0) {
      return -1;
    }
    int b = ring[head] & 0xff;
    head = (head + 1) % ring.length;
    size--;
    return b;
  }

  /** Takes the oldest bytes, {@code length} at most. */
  public byte[] poll(int length) {
    byte[] out = new byte[Math.min(length, size)];
    for (int i = 0; i < out.length; i++) {
      out[i] = (byte) poll();
    }
    return out;
  }

  /** The number of bytes waiting. */
  public int size() {
    return size;
  }

  /** Whether none waits. */
  public boolean isEmpty() {
    return size == 0;
  }

  /** Drops everything. */
  public void clear() {
    head = 0;
    size = 0;
  }

  private void reserve(int wanted) {
    if (wanted <= ring.length) {
      return;
    }
    byte[] larger = new byte[Math.max(wanted, Math.min(capacity, ring.length * 2))];
    for (int i = 0; i < size; i++) {
      larger[i] = ring[(head + i) % ring.length];
    }
    ring = larger;
    head = 0;
  }

  @Override
  public void save(StateWriter out) {
    byte[] contents = new byte[size];
    for (int i = 0; i < size; i++) {
      contents[i] = ring[(head + i) % ring.length];
    }
    out.section(name).putBytes(contents);
  }

  @Override
  public void restore(StateReader in) {
    byte[] contents = in.section(name).getBytes(capacity);
    clear();
    add(contents, 0, contents.length);
  }
}
