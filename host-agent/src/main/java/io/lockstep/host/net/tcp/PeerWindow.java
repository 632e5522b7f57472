package io.lockstep.host.net.tcp;

/**
 * How much the peer has room for. It is what the newest segment said, not the one that came last
 * (RFC 9293 §3.10.7.4).
 */
final class PeerWindow {
  private long size;
  private long largest;
  private long updatedFrom;
  private long updatedAck;

  /** Takes the window of a SYN, which is not scaled (RFC 7323 §2.2). */
  void start(int window) {
    size = window;
    largest = window;
    updatedFrom = 0;
  }

  /**
   * Takes a segment's window, unless it is an old segment.
   *
   * @param position of the segment in the peer's stream
   * @param ack what it acknowledges of ours
   * @param shift the peer's window scale
   * @return true if the size is another now
   */
  boolean update(int window, int shift, long position, long ack) {
    if (position < updatedFrom || position == updatedFrom && ack < updatedAck) {
      return false;
    }
    long before = size;
    size = (long) window << shift;
    largest = Math.max(largest, size);
    updatedFrom = position;
    updatedAck = ack;
    return size != before;
  }

  /** Bytes after the oldest unacknowledged position. */
  long size() {
    return size;
  }

  /** The largest that it ever was: what the peer's buffer holds, as far as one can tell. */
  long largest() {
    return largest;
  }
}
