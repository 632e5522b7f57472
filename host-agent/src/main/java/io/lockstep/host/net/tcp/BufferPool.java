package io.lockstep.host.net.tcp;

import java.util.ArrayDeque;

/** Reuses the large arrays that connections need for a moment only. Belongs to one thread. */
public final class BufferPool {
  private static final int SMALLEST_SHIFT = 12;
  private static final int CLASSES = 12;
  private static final long KEPT_BYTES_PER_CLASS = 8L << 20;

  private final ArrayDeque<byte[]>[] free = newClasses();
  private long allocatedBytes;

  /** An array of at least {@code size} bytes, a power of two long, with arbitrary contents. */
  byte[] take(int size) {
    int shift = Math.max(SMALLEST_SHIFT, 32 - Integer.numberOfLeadingZeros(size - 1));
    byte[] array = free[shift - SMALLEST_SHIFT].poll();
    if (array == null) {
      array = new byte[1 << shift];
    }
    allocatedBytes += array.length;
    return array;
  }

  void give(byte[] array) {
    allocatedBytes -= array.length;
    int shift = Integer.numberOfTrailingZeros(array.length);
    ArrayDeque<byte[]> kept = free[shift - SMALLEST_SHIFT];
    if ((long) kept.size() << shift < KEPT_BYTES_PER_CLASS) {
      kept.push(array);
    }
  }

  /** Bytes that connections hold at present. */
  public long allocatedBytes() {
    return allocatedBytes;
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static ArrayDeque<byte[]>[] newClasses() {
    ArrayDeque<byte[]>[] classes = new ArrayDeque[CLASSES];
    for (int i = 0; i < CLASSES; i++) {
      classes[i] = new ArrayDeque<>();
    }
    return classes;
  }
}
