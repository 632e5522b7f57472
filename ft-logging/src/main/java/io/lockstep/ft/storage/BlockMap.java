package io.lockstep.ft.storage;

import java.util.Arrays;

/**
 * Where each block of the disk is: one byte a block, a quarter of a mebibyte for a gibibyte that
 * was written, nothing for parts that never were. One thread writes; those who read at the same
 * time see the old or the new place.
 */
final class BlockMap {
  /** In the base image. */
  static final byte BASE = 0;

  /** Nowhere: it is zeros. */
  static final byte ZERO = 1;

  /** From here on: in a layer. */
  static final int FIRST_SLOT = 2;

  /** How many layers there can be. */
  static final int SLOTS = 256 - FIRST_SLOT;

  private static final int CHUNK_SHIFT = 14;
  private static final int CHUNK = 1 << CHUNK_SHIFT;

  private final byte[][] chunks;
  private final long blocks;

  BlockMap(long blocks) {
    this.blocks = blocks;
    this.chunks = new byte[Math.toIntExact((blocks + CHUNK - 1) >> CHUNK_SHIFT)][];
  }

  long blocks() {
    return blocks;
  }

  byte place(long block) {
    byte[] chunk = chunks[(int) (block >> CHUNK_SHIFT)];
    return chunk == null ? BASE : chunk[(int) block & CHUNK - 1];
  }

  /** How many blocks from here have the same place, at most {@code max}. */
  long run(long block, long max) {
    byte place = place(block);
    long n = 1;
    while (n < max && place(block + n) == place) {
      n++;
    }
    return n;
  }

  void set(long start, long count, byte place) {
    for (long block = start; block < start + count; ) {
      int c = (int) (block >> CHUNK_SHIFT);
      int from = (int) block & CHUNK - 1;
      int to = (int) Math.min(CHUNK, from + (start + count - block));
      if (chunks[c] == null) {
        chunks[c] = new byte[CHUNK];
      }
      Arrays.fill(chunks[c], from, to, place);
      block += to - from;
    }
  }

  void replace(byte place, byte by) {
    for (byte[] chunk : chunks) {
      if (chunk != null) {
        for (int i = 0; i < CHUNK; i++) {
          if (chunk[i] == place) {
            chunk[i] = by;
          }
        }
      }
    }
  }
}
