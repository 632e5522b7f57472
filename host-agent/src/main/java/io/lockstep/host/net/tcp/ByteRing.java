package io.lockstep.host.net.tcp;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;

/**
 * A window of a byte stream: the bytes between two stream positions, in an array that grows with
 * need up to a limit and is given back when empty.
 */
final class ByteRing {
  /**
   * An empty ring keeps an array of up to this size, so that small exchanges don't visit the pool.
   */
  private static final int KEPT_WHEN_EMPTY = 1 << 12;

  private final BufferPool pool;
  private final int limit;
  private byte[] array = new byte[0];
  private long head;
  private long tail;

  /**
   * @param limit most bytes held, at most 2^23
   * @param start stream position of the first byte
   */
  ByteRing(BufferPool pool, int limit, long start) {
    this.pool = pool;
    this.limit = limit;
    this.head = start;
    this.tail = start;
  }

  /** Position of the oldest byte held. */
  long head() {
    return head;
  }

  /** Position after the newest byte of the contiguous part. */
  long tail() {
    return tail;
  }

  int size() {
    return (int) (tail - head);
  }

  int free() {
    return limit - size();
  }

  /** Appends what fits and returns how much that was. */
  int append(byte[] source, int offset, int length) {
    int count = Math.min(length, free());
    if (count > 0) {
      put(tail, source, offset, count);
      tail += count;
    }
    return count;
  }

  /** Stores bytes at or after the tail, not beyond head + limit; the tail stays. */
  void put(long position, byte[] source, int offset, int length) {
    ensure((int) (position - head) + length);
    int at = (int) position & array.length - 1;
    int first = Math.min(length, array.length - at);
    System.arraycopy(source, offset, array, at, first);
    System.arraycopy(source, offset + first, array, 0, length - first);
  }

  /** Declares bytes up to {@code position}, stored by {@link #put}, contiguous. */
  void advanceTail(long position) {
    tail = position;
  }

  void copyOut(long position, byte[] target, int offset, int length) {
    int at = (int) position & array.length - 1;
    int first = Math.min(length, array.length - at);
    System.arraycopy(array, at, target, offset, first);
    System.arraycopy(array, 0, target, offset + first, length - first);
  }

  /** Drops bytes before {@code position}. */
  void advanceHead(long position) {
    head = position;
    if (tail < head) {
      tail = head;
    }
  }

  /**
   * Gives the array back if nothing is stored. The caller knows whether something lies beyond the
   * tail.
   */
  void releaseIfEmpty() {
    if (head == tail && array.length > KEPT_WHEN_EMPTY) {
      release();
    }
  }

  void release() {
    if (array.length > 0) {
      pool.give(array);
      array = new byte[0];
    }
    head = tail;
  }

  /**
   * Bytes from the head that lie in one piece, with {@link #contiguousArray} and {@link
   * #contiguousOffset}.
   */
  int contiguousLength() {
    return array.length == 0 ? 0 : Math.min(size(), array.length - contiguousOffset());
  }

  byte[] contiguousArray() {
    return array;
  }

  int contiguousOffset() {
    return (int) head & array.length - 1;
  }

  /**
   * Reads from a channel, at most {@code most} bytes.
   *
   * @return bytes read, 0 if none are there or none fit, -1 at the end
   */
  int readFrom(ReadableByteChannel channel, int most) throws IOException {
    int total = 0;
    while (total < most && free() > 0) {
      ensure(Math.min(limit, Math.max(size() * 2, size() + 4096)));
      int at = (int) tail & array.length - 1;
      int room = Math.min(array.length - size(), array.length - at);
      int count =
          channel.read(ByteBuffer.wrap(array, at, Math.min(Math.min(room, free()), most - total)));
      if (count <= 0) {
        return total > 0 ? total : count;
      }
      tail += count;
      total += count;
    }
    return total;
  }

  private void ensure(int needed) {
    if (needed <= array.length) {
      return;
    }
    byte[] larger = pool.take(needed);
    if (array.length > 0) {
      // Everything is moved, what lies beyond the tail too.
      for (long p = head; p < head + array.length; ) {
        int from = (int) p & array.length - 1;
        int to = (int) p & larger.length - 1;
        int count =
            (int)
                Math.min(
                    head + array.length - p, Math.min(array.length - from, larger.length - to));
        System.arraycopy(array, from, larger, to, count);
        p += count;
      }
      pool.give(array);
    }
    array = larger;
  }
}
