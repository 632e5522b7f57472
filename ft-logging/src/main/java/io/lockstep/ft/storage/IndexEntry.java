package io.lockstep.ft.storage;

import java.nio.ByteBuffer;

/**
 * One statement in a layer's index: 16 bytes, little-endian.
 *
 * <pre>
 *   63     56 55                                 0
 *  +---------+------------------------------------+
 *  |  kind   |               a                    |   bytes 0-7
 *  +---------+------------------------------------+
 *  |                      b                       |   bytes 8-15
 *  +----------------------------------------------+
 * </pre>
 */
sealed interface IndexEntry {
  int BYTES = 16;
  int KIND_SHIFT = 56;
  long A_MASK = (1L << KIND_SHIFT) - 1;

  /** Kind 1: first in every index. a: bytes of a block; b: bytes of the disk. */
  record Disk(long blockBytes, long diskBytes) implements IndexEntry {}

  /** Kind 2: the layer lies above the one of epoch a. */
  record Below(long epoch) implements IndexEntry {}

  /** Kind 3: the layer's data file holds the blocks from a, b of them. */
  record Data(long start, long count) implements IndexEntry {}

  /** Kind 4: the blocks from a, b of them, are zeros. */
  record Zero(long start, long count) implements IndexEntry {}

  /** Kind 5: the base image holds all layers up to epoch a. */
  record Merged(long epoch) implements IndexEntry {}

  /** Writes it. */
  default void put(ByteBuffer out) {
    switch (this) {
      case Disk e -> put(out, 1, e.blockBytes(), e.diskBytes());
      case Below e -> put(out, 2, e.epoch(), 0);
      case Data e -> put(out, 3, e.start(), e.count());
      case Zero e -> put(out, 4, e.start(), e.count());
      case Merged e -> put(out, 5, e.epoch(), 0);
    }
  }

  private static void put(ByteBuffer out, int kind, long a, long b) {
    out.putLong((long) kind << KIND_SHIFT | a).putLong(b);
  }

  /** Reads one; null if it is none. */
  static IndexEntry get(ByteBuffer in) {
    long word = in.getLong();
    long a = word & A_MASK;
    long b = in.getLong();
    return switch ((int) (word >>> KIND_SHIFT)) {
      case 1 -> new Disk(a, b);
      case 2 -> new Below(a);
      case 3 -> new Data(a, b);
      case 4 -> new Zero(a, b);
      case 5 -> new Merged(a);
      default -> null;
    };
  }
}
