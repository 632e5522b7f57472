package io.lockstep.replay.log;

/**
 * What encoder and decoder remember of earlier entries, equal on both sides after the same entries.
 * Fields of the format are differences to these.
 */
final class DeltaState {
  long lsn;
  long point;
  long ticks;
  long slopeQ32;
  long capSpan;
  long requestId;
  long outputs;

  /** The checksum stored in the frame before; 0 before the first. */
  int chain;

  static long zigzag(long v) {
    return v << 1 ^ v >> 63;
  }

  static long unzigzag(long v) {
    return v >>> 1 ^ -(v & 1);
  }
}
