package io.lockstep.host.net.tcp;

/**
 * How one direction's stream positions, which never wrap, map to the 32 bits on the wire. Position
 * 0 is the SYN, 1 the first byte.
 *
 * @param initial the sequence number of the SYN
 */
record SequenceNumbers(int initial) {
  int of(long position) {
    return initial + (int) position;
  }

  /** The position that a sequence number means: the one less than 2^31 away from {@code near}. */
  long position(int sequence, long near) {
    return near + (sequence - of(near));
  }
}
