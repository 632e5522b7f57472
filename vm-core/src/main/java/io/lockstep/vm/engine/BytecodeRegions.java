package io.lockstep.vm.engine;

import io.lockstep.vm.engine.region.Region;
import io.lockstep.vm.engine.region.RegionCode;
import io.lockstep.vm.engine.region.RegionCompiler;
import io.lockstep.vm.engine.region.RegionContext;
import io.lockstep.vm.engine.region.RegionLoader;
import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.mmu.Mmu;
import java.util.ArrayDeque;
import java.util.Arrays;

/**
 * Regions as bytecode, for hosts that machine code cannot be made for.
 *
 * <p>A block is compiled on the vCPU thread, which takes some hundred microseconds. HotSpot needs
 * far longer to compile what comes out (its threads do that in the background), and a region is
 * slower than the base tier until it has. So compilation has a budget, in instructions, that grows
 * with the steps executed: code that is worth it gets its turn a little later, and a flat profile,
 * as a boot has, cannot flood HotSpot.
 */
final class BytecodeRegions implements CompiledTier {
  private static final int RECENT = 1 << 15;

  private final Hart hart;
  private final Mmu mmu;
  private final CodeCache code;
  private final MemoryOps memory;
  private final EngineOptions options;
  private final RegionLoader[] loaders = new RegionLoader[4];

  /**
   * Units by the address at which they were entered, a few bits of it: the short way from one
   * region to the next, whose every load is a cache miss in a large program. What it holds is
   * checked against the page that the address leads to now.
   */
  private final Unit[] recent = new Unit[RECENT];

  private final ArrayDeque<Unit> units = new ArrayDeque<>();

  private long target;
  private long creditAt;
  private long credit;

  // Statistics
  private long compiled;
  private long compiledInstructions;
  private long evicted;

  BytecodeRegions(Hart hart, Mmu mmu, CodeCache code, MemoryOps memory, EngineOptions options) {
    this.hart = hart;
    this.mmu = mmu;
    this.code = code;
    this.memory = memory;
    this.options = options;
    this.credit = options.creditMax();
  }

  @Override
  public long run(Block block, long pc, long left, long targetStep, boolean soft) {
    target = targetStep;
    Unit unit = unitOf(block);
    if (unit == null) {
      unit = compile(block, left);
      if (unit == null) {
        return left;
      }
    }
    boolean floatReady = !hart.fpOff && hart.fpIsDirty() && hart.frm == 0;
    long[] fetchTags = mmu.fetchTags();
    CodePage[] bySlot = code.bySlot();
    int fetchContext = hart.fetchContext;
    int dataContext = hart.dataContext;
    long at = pc;
    while (true) {
      if (left < unit.entryFuel) {
        if (soft) {
          hart.pc = at;
          hart.steps = target - left;
          return RegionCode.LEAVE;
        }
        return left;
      }
      if (unit.usesFloat && !floatReady) {
        return left;
      }
      left =
          unit.runs < options.warmUpRuns()
              ? runBriefly(unit, at, left)
              : unit.code.run(at & -4096L, left);
      unit.runs++;
      if (left < 0) {
        return left;
      }
      at = hart.pc;
      int slot = Mmu.fetchSlot(at, fetchContext);
      int offset = (int) at & 4095;
      int index = indexOf(at);
      unit = recent[index];
      if (fetchTags[slot] != (at & -4096L | 1)
          || (unit == null
                  || unit.page != bySlot[slot]
                  || unit.start != offset
                  || unit.context != dataContext)
              && (unit = find(bySlot[slot], offset, index)) == null) {
        return left;
      }
    }
  }

  private static int indexOf(long pc) {
    return (int) (pc >>> 1 ^ pc >>> 13) & RECENT - 1;
  }

  /** The unit at an offset of a page, which may be null; also entered in {@link #recent}. */
  private Unit find(CodePage page, int offset, int index) {
    Block block = page == null ? null : page.blocks[offset >> 1];
    Unit unit = block == null ? null : unitOf(block);
    if (unit != null) {
      recent[index] = unit;
    }
    return unit;
  }

  /**
   * Runs a region that HotSpot has not compiled yet, with little fuel: so that it is called often,
   * and compiled as a method, not while in one of its loops only to be compiled again.
   */
  private long runBriefly(Unit unit, long at, long left) {
    long given = Math.min(left, Math.max(unit.entryFuel, options.warmUpFuel()));
    long kept = left - given;
    memory.setTarget(target - kept);
    long after = unit.code.run(at & -4096L, given);
    memory.setTarget(target);
    return after < 0 ? after : after + kept;
  }

  private Unit unitOf(Block block) {
    Unit unit = block.unit;
    if (unit == null || unit.context == hart.dataContext) {
      return unit;
    }
    while (unit != null && unit.context != hart.dataContext) {
      unit = unit.other;
    }
    return unit;
  }

  private Unit compile(Block block, long left) {
    if (block.heat < 0) {
      return null;
    }
    Region region = RegionPlanner.plan(block, false);
    if (region == null) {
      block.heat = Regions.NEVER;
      return null;
    }
    long now = target - left;
    credit =
        Math.min(
            options.creditMax(),
            credit + Math.max(0, now - creditAt) / options.stepsPerInstruction());
    creditAt = now;
    int instructions = region.instructions();
    if (credit < instructions) {
      block.heat = options.threshold() / 2;
      return null;
    }
    credit -= instructions;
    int context = hart.dataContext;
    Unit unit =
        new Unit(loader(context).define(RegionCompiler.compile(region)), block, context, region);
    compiled++;
    compiledInstructions += instructions;
    evictDownTo(Math.max(0, options.unitsMax() - 1));
    units.add(unit);
    return unit;
  }

  private RegionLoader loader(int context) {
    if (loaders[context] == null) {
      int base = context * Mmu.FAST_CONTEXT_STRIDE;
      loaders[context] =
          new RegionLoader(new RegionContext(hart, mmu.loadFast, mmu.storeFast, base, memory));
    }
    return loaders[context];
  }

  /** Drops the units that have gone longest without being run, roughly: second chance. */
  private void evictDownTo(int max) {
    while (units.size() > max) {
      Unit unit = units.remove();
      if (unit.runs != unit.runsSeen && unit.code != null) {
        unit.runsSeen = unit.runs;
        units.add(unit);
      } else {
        unit.discard();
        evicted++;
      }
    }
  }

  @Override
  public void forgetAll() {
    evictDownTo(0);
    Arrays.fill(recent, null);
  }

  @Override
  public EngineStats stats(long stepsInRegions) {
    return new EngineStats(
        false, compiled, compiledInstructions, units.size(), evicted, stepsInRegions);
  }
}
