package io.lockstep.host.net.tcp;

/**
 * Puts arriving bytes in order (RFC 9293 §3.10.7.4) and keeps them until the application takes
 * them. What arrives in order while nothing waits goes to the application without being copied.
 */
final class ReceiveQueue {
  /** Gaps remembered at most; data that would make another one is dropped and sent again. */
  private static final int RANGES_MAX = 64;

  /** Takes bytes and returns how many. */
  interface Sink {
    int deliver(byte[] data, int offset, int length);
  }

  private final ByteRing ring;
  private final int limit;
  // Ranges beyond a gap, in order, disjoint and not touching: from, to, from, to, ...
  private final long[] ranges = new long[2 * RANGES_MAX];
  private int rangeCount;
  private int newestRange = -1;

  ReceiveQueue(BufferPool pool, int limit, long start) {
    this.ring = new ByteRing(pool, limit, start);
    this.limit = limit;
  }

  /** Position of the next byte that is missing. */
  long next() {
    return ring.tail();
  }

  /** Position after the last byte for which there is room. */
  long edge() {
    return ring.head() + limit;
  }

  /** Bytes in order that the application hasn't taken. */
  int waiting() {
    return ring.size();
  }

  boolean hasGaps() {
    return rangeCount > 0;
  }

  /**
   * Takes in bytes at a position. What lies before {@link #next} or beyond {@link #edge} is
   * ignored.
   *
   * @return true if they were in order
   */
  boolean insert(long position, byte[] data, int offset, int length, Sink sink) {
    long from = Math.max(position, ring.tail());
    long to = Math.min(position + length, edge());
    if (from >= to) {
      return false;
    }
    int at = offset + (int) (from - position);
    int count = (int) (to - from);
    if (from > ring.tail()) {
      insertBeyondGap(from, to, data, at);
      return false;
    }
    if (ring.size() == 0 && rangeCount == 0) {
      int taken = sink.deliver(data, at, count);
      ring.advanceHead(from + taken);
      ring.append(data, at + taken, count - taken);
    } else {
      ring.put(from, data, at, count);
      ring.advanceTail(to);
      joinRanges();
      drain(sink);
    }
    return true;
  }

  /** Gives the application what waits; returns bytes taken. */
  int drain(Sink sink) {
    int total = 0;
    while (ring.size() > 0) {
      int piece = ring.contiguousLength();
      int taken = sink.deliver(ring.contiguousArray(), ring.contiguousOffset(), piece);
      ring.advanceHead(ring.head() + taken);
      total += taken;
      if (taken < piece) {
        break;
      }
    }
    if (rangeCount == 0) {
      ring.releaseIfEmpty();
    }
    return total;
  }

  /** Fills in the ranges received beyond a gap, the one that changed last first (RFC 2018 §4). */
  void describeGaps(TcpSegment segment, int sequenceOfZero) {
    segment.sackBlocks = 0;
    if (newestRange >= 0 && newestRange < rangeCount) {
      addBlock(segment, newestRange, sequenceOfZero);
    }
    for (int i = 0; i < rangeCount && segment.sackBlocks < TcpSegment.SACK_BLOCKS_MAX; i++) {
      if (i != newestRange) {
        addBlock(segment, i, sequenceOfZero);
      }
    }
  }

  private void addBlock(TcpSegment segment, int range, int sequenceOfZero) {
    int at = 2 * segment.sackBlocks++;
    segment.sack[at] = sequenceOfZero + (int) ranges[2 * range];
    segment.sack[at + 1] = sequenceOfZero + (int) ranges[2 * range + 1];
  }

  void release() {
    rangeCount = 0;
    ring.release();
  }

  private void insertBeyondGap(long from, long to, byte[] data, int at) {
    int first = 0;
    while (first < rangeCount && ranges[2 * first + 1] < from) {
      first++;
    }
    int last = first;
    long low = from;
    long high = to;
    while (last < rangeCount && ranges[2 * last] <= to) {
      low = Math.min(low, ranges[2 * last]);
      high = Math.max(high, ranges[2 * last + 1]);
      last++;
    }
    if (first == last && rangeCount == RANGES_MAX) {
      return;
    }
    ring.put(from, data, at, (int) (to - from));
    // Ranges first..last-1 become one.
    System.arraycopy(ranges, 2 * last, ranges, 2 * first + 2, 2 * (rangeCount - last));
    rangeCount += 1 - (last - first);
    ranges[2 * first] = low;
    ranges[2 * first + 1] = high;
    newestRange = first;
  }

  private void joinRanges() {
    int joined = 0;
    while (joined < rangeCount && ranges[2 * joined] <= ring.tail()) {
      ring.advanceTail(Math.max(ring.tail(), ranges[2 * joined + 1]));
      joined++;
    }
    if (joined > 0) {
      System.arraycopy(ranges, 2 * joined, ranges, 0, 2 * (rangeCount - joined));
      rangeCount -= joined;
      newestRange = -1;
    }
  }
}
