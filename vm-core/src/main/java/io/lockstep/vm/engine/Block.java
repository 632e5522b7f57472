package io.lockstep.vm.engine;

/**
 * Straight-line code, decoded: operations of which the last one, and only that one, ends the block.
 * Belongs to a physical page; knows nothing of the virtual address it runs at.
 */
final class Block {
  /** The most instructions in a block. */
  static final int LENGTH_MAX = 64;

  /** The page that the code is in; dead once the code has been written over. */
  final CodePage page;

  /**
   * The operations, {@link io.lockstep.vm.isa.Op}; the last one ends the block. May be one longer
   * than {@link #count} ({@code FALL}).
   */
  final long[] ops;

  /**
   * Each operation's offset in the page; one more entry holds the offset behind the last
   * instruction (4096 if that is the next page).
   */
  final short[] offsets;

  /** Steps that the block takes if nothing traps. */
  final int count;

  /**
   * For an instruction that crosses into another page: that page as it was when decoded. Otherwise
   * null.
   */
  final CodePage crossedInto;

  /** The block in the same page that follows if the final branch is taken, once known. */
  Block taken;

  /** The block in the same page that follows directly, once known. */
  Block next;

  Block(CodePage page, long[] ops, short[] offsets, int count, CodePage crossedInto) {
    this.page = page;
    this.ops = ops;
    this.offsets = offsets;
    this.count = count;
    this.crossedInto = crossedInto;
  }

  int start() {
    return offsets[0];
  }

  int end() {
    return offsets[count];
  }
}
