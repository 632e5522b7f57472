package io.lockstep.vm.engine.region;

/** Straight-line code within a region. Offsets are relative to the page's start. */
public final class RegionBlock {
  /** No successor within the region. */
  public static final int NONE = -1;

  /** The operations. */
  public final long[] ops;

  /** Each operation's offset in the page, and that of the end. */
  public final int[] offsets;

  /** Operations, and steps that they take. */
  public final int count;

  /** Block that a taken branch or jump at the end leads to, or {@link #NONE}. */
  public int taken = NONE;

  /** Block that follows directly, or {@link #NONE}. */
  public int next = NONE;

  /** Where a return at the end may lead to within the region. */
  public int[] returns = {};

  /** A cycle closes here: the fuel is looked at. */
  public boolean header;

  /** Most steps from the start of this block to the next look at the fuel or the region's end. */
  public int worst;

  /**
   * Makes a block without successors.
   *
   * @param ops operations; the last one may end the block
   * @param offsets of each operation, and of the end
   */
  public RegionBlock(long[] ops, int[] offsets) {
    this.ops = ops;
    this.offsets = offsets;
    this.count = ops.length;
  }

  /** Offset of the first instruction. */
  public int start() {
    return offsets[0];
  }

  /** Offset behind the last instruction. */
  public int end() {
    return offsets[count];
  }

  /** Sets successors by index in the region. */
  public void link(int takenBlock, int nextBlock, int[] returnBlocks) {
    taken = takenBlock;
    next = nextBlock;
    returns = returnBlocks;
  }
}
