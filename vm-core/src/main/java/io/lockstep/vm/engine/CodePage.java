package io.lockstep.vm.engine;

import io.lockstep.vm.memory.GuestRam;
import java.util.Arrays;

/** The decoded blocks of one physical page, by the offset at which they start. */
final class CodePage {
  /** Index of the page in RAM. */
  final int index;

  /** Blocks by offset / 2. */
  final Block[] blocks = new Block[GuestRam.PAGE / 2];

  /** Which 64-byte lines of the page blocks were decoded from: bit n is line n. */
  long lines;

  CodePage(int index) {
    this.index = index;
  }

  /** The contents have changed: nothing is found here any more, by whatever way one comes. */
  void die() {
    for (Block block : blocks) {
      while (block != null && block.unit != null) {
        block.unit.discard();
      }
    }
    Arrays.fill(blocks, null);
  }

  /** Notes that the bytes from {@code from} up to {@code to} (not included) have been decoded. */
  void cover(int from, int to) {
    for (int line = from >> 6; line <= to - 1 >> 6; line++) {
      lines |= 1L << line;
    }
  }

  /**
   * Whether a write of {@code length} bytes at {@code offset} touches a line that has been decoded.
   */
  boolean covers(int offset, int length) {
    long mask = 1L << (offset >> 6) | 1L << (offset + length - 1 >> 6);
    return (lines & mask) != 0;
  }
}
