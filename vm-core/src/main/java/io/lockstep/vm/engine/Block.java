package io.lockstep.vm.engine;

import io.lockstep.vm.isa.Op;

/**
 * Straight-line code, decoded: operations of which the last one, and only that one, ends the block.
 * Belongs to a physical page; knows nothing of the virtual address it runs at.
 */
final class Block {
  /** The most instructions in a block. */
  static final int LENGTH_MAX = 64;

  /** The page that the code is in; it dies when the code is written over. */
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

  /** Offset that the final jump leads to, if it is a direct one. */
  final int target;

  /** The block in the same page that follows if the final branch is taken, once known. */
  Block taken;

  /** The block in the same page that follows directly, once known. */
  Block next;

  /** Whether taking the final jump counts for the heat of its target: backward jumps and calls. */
  final boolean heats;

  /** How often the block was jumped to, as far as that counts; negative: never to be compiled. */
  int heat;

  /** The regions that start here, for different contexts, or null. */
  Unit unit;

  Block(CodePage page, long[] ops, short[] offsets, int count, CodePage crossedInto) {
    this.page = page;
    this.ops = ops;
    this.offsets = offsets;
    this.count = count;
    this.crossedInto = crossedInto;
    int last = Op.code(ops[count - 1]);
    this.target = (int) Op.imm(ops[count - 1]);
    this.heats =
        last >= Op.BEQ
            && last <= Op.JAL
            && (last == Op.JAL || Op.imm(ops[count - 1]) <= offsets[count - 1]);
  }

  int start() {
    return offsets[0];
  }

  int end() {
    return offsets[count];
  }
}
