package io.lockstep.vm.engine.x86;

import io.lockstep.vm.engine.region.Region;
import io.lockstep.vm.engine.region.RegionBlock;
import io.lockstep.vm.engine.region.RegionCompiler;
import io.lockstep.vm.isa.Op;
import java.util.Arrays;

/**
 * Which guest registers live in registers of the host while a region runs: those that are named
 * most often, with what is in loops counted several times. The others stay in the hart's array.
 */
final class RegisterChoice {
  /** Host registers for this: all but those with a fixed meaning, see {@link RegionEmitter}. */
  private static final int[] HOST = {
    Assembler.RBX,
    Assembler.RSI,
    Assembler.RDI,
    Assembler.R8,
    Assembler.R9,
    Assembler.R10,
    Assembler.R11
  };

  private static final int IN_LOOP = 8;
  private static final int NOT_WORTH_IT = 1;

  /** For each guest register the host's, or -1. */
  final int[] host = new int[Op.REGISTERS];

  /** The guest registers that have one, ... */
  final int[] chosen;

  /** ... and those of them that the region writes. */
  final int[] written;

  RegisterChoice(Region region) {
    int[] uses = new int[32];
    boolean[] writes = new boolean[Op.REGISTERS];
    boolean[] inLoop = blocksInLoops(region);
    for (int i = 0; i < region.blocks.length; i++) {
      int weight = inLoop[i] ? IN_LOOP : 1;
      for (long op : region.blocks[i].ops) {
        count(uses, Op.rs1(op), weight);
        count(uses, Op.rs2(op), weight);
        if (RegionCompiler.writes(Op.code(op))) {
          count(uses, Op.rd(op), weight);
          writes[Op.rd(op)] = true;
        }
      }
    }
    uses[0] = 0;
    Arrays.fill(host, -1);
    int[] order = new int[HOST.length];
    int[] changed = new int[HOST.length];
    int chosenCount = 0;
    int changedCount = 0;
    for (int h : HOST) {
      int best = 0;
      for (int r = 1; r < uses.length; r++) {
        best = uses[r] > uses[best] ? r : best;
      }
      if (uses[best] <= NOT_WORTH_IT) {
        break;
      }
      uses[best] = 0;
      host[best] = h;
      order[chosenCount++] = best;
      if (writes[best]) {
        changed[changedCount++] = best;
      }
    }
    chosen = Arrays.copyOf(order, chosenCount);
    written = Arrays.copyOf(changed, changedCount);
  }

  private static void count(int[] uses, int register, int weight) {
    if (register < uses.length) {
      uses[register] += weight;
    }
  }

  /** Blocks from which a header can be reached that leads to them. */
  private static boolean[] blocksInLoops(Region region) {
    RegionBlock[] blocks = region.blocks;
    boolean[] inLoop = new boolean[blocks.length];
    int[] stack = new int[blocks.length];
    for (int h = 0; h < blocks.length; h++) {
      if (!blocks[h].header || inLoop[h]) {
        continue;
      }
      boolean[] reached = new boolean[blocks.length];
      int depth = 0;
      stack[depth++] = h;
      reached[h] = true;
      while (depth > 0) {
        RegionBlock b = blocks[stack[--depth]];
        for (int k = -2; k < b.returns.length; k++) {
          int to = k == -2 ? b.taken : k == -1 ? b.next : b.returns[k];
          if (to != RegionBlock.NONE && !reached[to]) {
            reached[to] = true;
            stack[depth++] = to;
          }
        }
      }
      markThoseThatReach(h, blocks, reached, inLoop);
    }
    return inLoop;
  }

  private static void markThoseThatReach(
      int header, RegionBlock[] blocks, boolean[] candidates, boolean[] inLoop) {
    boolean[] reaches = new boolean[blocks.length];
    reaches[header] = true;
    boolean changed = true;
    while (changed) {
      changed = false;
      for (int i = blocks.length - 1; i >= 0; i--) {
        RegionBlock b = blocks[i];
        if (!reaches[i] && candidates[i] && leadsTo(b, reaches)) {
          reaches[i] = true;
          changed = true;
        }
      }
    }
    for (int i = 0; i < blocks.length; i++) {
      inLoop[i] |= reaches[i];
    }
  }

  private static boolean leadsTo(RegionBlock b, boolean[] some) {
    if (b.taken != RegionBlock.NONE && some[b.taken]
        || b.next != RegionBlock.NONE && some[b.next]) {
      return true;
    }
    for (int r : b.returns) {
      if (some[r]) {
        return true;
      }
    }
    return false;
  }
}
