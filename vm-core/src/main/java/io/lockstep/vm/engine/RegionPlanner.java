package io.lockstep.vm.engine;

import io.lockstep.vm.engine.region.Region;
import io.lockstep.vm.engine.region.RegionBlock;
import io.lockstep.vm.isa.Op;
import io.lockstep.vm.memory.GuestRam;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Chooses what belongs to a region: from its first block on, breadth first, whatever direct jumps
 * lead to within the page, as far as the base tier has been there. Code that has never run is left
 * out, so what HotSpot compiles is what is used.
 */
final class RegionPlanner {
  /** Instructions in a region, about: the last block may exceed it. */
  static final int INSTRUCTIONS_MAX = 120;

  private static final int RETURN_POINTS_MAX = 4;

  private final CodePage page;

  /** Block starts in the order they were found. */
  private final int[] starts = new int[INSTRUCTIONS_MAX + Block.LENGTH_MAX];

  private int count;
  private int instructions;

  /** Index in {@link #starts} + 1 by offset / 2. */
  private final int[] indexOf = new int[GuestRam.PAGE / 2];

  private final List<Integer> returnPoints = new ArrayList<>();

  private final boolean withCsrs;

  private RegionPlanner(CodePage page, boolean withCsrs) {
    this.page = page;
    this.withCsrs = withCsrs;
  }

  /**
   * The region that starts with a block; null if there is nothing to compile there.
   *
   * @param withCsrs whether a region can hold accesses to CSRs
   */
  static Region plan(Block entry, boolean withCsrs) {
    RegionPlanner planner = new RegionPlanner(entry.page, withCsrs);
    if (planner.usable(entry) == 0) {
      return null;
    }
    planner.collect(entry.start());
    return planner.build();
  }

  /** Instructions of a block that a region can hold: all but a system instruction at the end. */
  private int usable(Block block) {
    if (block == null || block.crossedInto != null) {
      return 0;
    }
    int last = Op.code(block.ops[block.count - 1]);
    return isOutside(last) ? block.count - 1 : block.count;
  }

  private boolean isOutside(int code) {
    return code > Op.CSR || code == Op.CSR && !withCsrs;
  }

  private void collect(int entry) {
    add(entry);
    for (int i = 0; i < count && instructions < INSTRUCTIONS_MAX; i++) {
      Block block = page.blocks[starts[i] >> 1];
      long last = block.ops[block.count - 1];
      int code = Op.code(last);
      if (isOutside(code)) {
        continue;
      }
      if (code >= Op.BEQ && code <= Op.JAL) {
        add((int) Op.imm(last));
      }
      if (code == Op.JAL && Op.rd(last) == 1 && contains((int) Op.imm(last))) {
        addReturn(block.end());
      } else if (code < Op.J || code > Op.JALR) {
        add(block.end());
      }
    }
  }

  private boolean contains(int offset) {
    return offset >= 0 && offset < GuestRam.PAGE && indexOf[offset >> 1] != 0;
  }

  private void addReturn(int offset) {
    if (returnPoints.size() < RETURN_POINTS_MAX && !returnPoints.contains(offset)) {
      add(offset);
      if (contains(offset)) {
        returnPoints.add(offset);
      }
    }
  }

  private void add(int offset) {
    if (offset < 0 || offset >= GuestRam.PAGE || contains(offset)) {
      return;
    }
    int length = usable(page.blocks[offset >> 1]);
    if (length == 0
        || count > 0 && instructions + length > INSTRUCTIONS_MAX + Block.LENGTH_MAX / 4) {
      return;
    }
    instructions += length;
    starts[count++] = offset;
    indexOf[offset >> 1] = count;
  }

  private Region build() {
    RegionBlock[] blocks = new RegionBlock[count];
    for (int i = 0; i < count; i++) {
      blocks[i] = block(page.blocks[starts[i] >> 1]);
    }
    return new Region(blocks);
  }

  /** The part of a decoded block up to where another block of the region starts. */
  private RegionBlock block(Block decoded) {
    int length = usable(decoded);
    for (int k = 1; k < length; k++) {
      if (contains(decoded.offsets[k])) {
        length = k;
      }
    }
    int[] offsets = new int[length + 1];
    for (int k = 0; k <= length; k++) {
      offsets[k] = decoded.offsets[k];
    }
    RegionBlock block = new RegionBlock(Arrays.copyOf(decoded.ops, length), offsets);
    long last = decoded.ops[length - 1];
    int code = Op.code(last);
    boolean jumps = code >= Op.BEQ && code <= Op.JAL;
    boolean goesOn = code < Op.J || code > Op.JALR;
    block.link(
        jumps ? index((int) Op.imm(last)) : RegionBlock.NONE,
        goesOn ? index(offsets[length]) : RegionBlock.NONE,
        code == Op.JR && Op.rs1(last) == 1 ? returns() : new int[0]);
    return block;
  }

  private int index(int offset) {
    return contains(offset) ? indexOf[offset >> 1] - 1 : RegionBlock.NONE;
  }

  private int[] returns() {
    return returnPoints.stream().mapToInt(this::index).toArray();
  }
}
