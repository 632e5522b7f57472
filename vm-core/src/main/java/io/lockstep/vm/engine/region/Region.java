package io.lockstep.vm.engine.region;

import io.lockstep.vm.isa.Op;

/**
 * Guest code that is compiled as a whole: blocks of one page, entered at the first. Fuel is charged
 * by each block and looked at where a cycle closes; so the way between two looks is finite, and its
 * length known.
 */
public final class Region {
  /** The blocks; the first one is the entry. */
  public final RegionBlock[] blocks;

  /** Makes a region of linked blocks. */
  public Region(RegionBlock[] blocks) {
    this.blocks = blocks;
    new Walk().visit(0);
  }

  /** The fuel needed to enter. */
  public int entryFuel() {
    return blocks[0].worst;
  }

  /** Guest instructions. */
  public int instructions() {
    int sum = 0;
    for (RegionBlock b : blocks) {
      sum += b.count;
    }
    return sum;
  }

  /** Whether it needs floating-point state to be on, marked as changed, and rounding to nearest. */
  public boolean usesFloat() {
    for (RegionBlock b : blocks) {
      for (long op : b.ops) {
        if (Op.isFloatingPoint(Op.code(op))) {
          return true;
        }
      }
    }
    return false;
  }

  /** Depth-first: finds headers (targets of edges back into the present path) and worst cases. */
  private final class Walk {
    private static final int NEW = 0, OPEN = 1, DONE = 2;
    private final int[] state = new int[blocks.length];

    void visit(int index) {
      RegionBlock b = blocks[index];
      state[index] = OPEN;
      int worst = Math.max(follow(b.taken), follow(b.next));
      for (int r : b.returns) {
        worst = Math.max(worst, follow(r));
      }
      b.worst = b.count + worst;
      state[index] = DONE;
    }

    private int follow(int successor) {
      if (successor == RegionBlock.NONE) {
        return 0;
      }
      RegionBlock s = blocks[successor];
      if (state[successor] == OPEN) {
        s.header = true;
      } else if (state[successor] == NEW) {
        visit(successor);
      }
      // A header looks at the fuel itself. One that is found to be one later is counted anyway.
      return s.header ? 0 : s.worst;
    }
  }
}
