package io.lockstep.vm.virtio;

import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.snapshot.StateFormatException;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.util.Arrays;

/** A sequence of ranges of guest RAM that is read or written as one run of bytes. */
final class BufferList {
  /** The most ranges in one list: the longest descriptor chain. */
  static final int COUNT_MAX = Virtqueue.CHAIN_MAX;

  private long[] addresses = new long[4];
  private long[] lengths = new long[4];
  private int count;
  private long total;

  int count() {
    return count;
  }

  /** Bytes in all ranges. */
  long length() {
    return total;
  }

  void add(long address, long length) {
    if (count == addresses.length) {
      addresses = Arrays.copyOf(addresses, count * 2);
      lengths = Arrays.copyOf(lengths, count * 2);
    }
    addresses[count] = address;
    lengths[count++] = length;
    total += length;
  }

  /**
   * The bytes from {@code from} on, {@code length} of them, as a list of its own. The range must
   * lie within this list.
   */
  BufferList slice(long from, long length) {
    BufferList out = new BufferList();
    long skip = from;
    long left = length;
    for (int i = 0; i < count && left > 0; i++) {
      if (skip >= lengths[i]) {
        skip -= lengths[i];
        continue;
      }
      long n = Math.min(lengths[i] - skip, left);
      out.add(addresses[i] + skip, n);
      skip = 0;
      left -= n;
    }
    return out;
  }

  /** The guest physical address of the byte at {@code at}, which must lie within this list. */
  long addressOf(long at) {
    long skip = at;
    int i = 0;
    while (skip >= lengths[i]) {
      skip -= lengths[i++];
    }
    return addresses[i] + skip;
  }

  /**
   * Copies bytes out of guest memory, starting {@code from} bytes into the list; returns how many
   * there were.
   */
  int read(GuestRam ram, long from, byte[] into, int offset, int length) {
    long skip = from;
    int done = 0;
    for (int i = 0; i < count && done < length; i++) {
      if (skip >= lengths[i]) {
        skip -= lengths[i];
        continue;
      }
      int n = (int) Math.min(lengths[i] - skip, length - done);
      ram.read(addresses[i] + skip, into, offset + done, n);
      skip = 0;
      done += n;
    }
    return done;
  }

  /**
   * Copies bytes into guest memory, starting {@code from} bytes into the list; returns how many
   * fitted.
   */
  int write(GuestRam ram, long from, byte[] bytes, int offset, int length) {
    long skip = from;
    int done = 0;
    for (int i = 0; i < count && done < length; i++) {
      if (skip >= lengths[i]) {
        skip -= lengths[i];
        continue;
      }
      int n = (int) Math.min(lengths[i] - skip, length - done);
      ram.write(addresses[i] + skip, bytes, offset + done, n);
      skip = 0;
      done += n;
    }
    return done;
  }

  void save(StateWriter out) {
    out.putInt(count);
    for (int i = 0; i < count; i++) {
      out.putLong(addresses[i]).putLong(lengths[i]);
    }
  }

  static BufferList restore(StateReader in, GuestRam ram) {
    BufferList list = new BufferList();
    int n = in.getInt(0, COUNT_MAX);
    for (int i = 0; i < n; i++) {
      long address = in.getLong();
      long length = in.getLong();
      if (!ram.contains(address, length)) {
        throw new StateFormatException(
            "saved state has a virtio buffer at 0x%x outside of the guest's memory"
                .formatted(address));
      }
      list.add(address, length);
    }
    return list;
  }
}
