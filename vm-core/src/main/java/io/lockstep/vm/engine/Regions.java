package io.lockstep.vm.engine;

import io.lockstep.vm.engine.region.Region;
import io.lockstep.vm.engine.region.RegionCode;
import io.lockstep.vm.engine.region.RegionCompiler;
import io.lockstep.vm.engine.region.RegionContext;
import io.lockstep.vm.engine.region.RegionLoader;
import io.lockstep.vm.engine.x86.CodeSpace;
import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.mmu.Mmu;
import java.util.ArrayDeque;
import java.util.Arrays;

/**
 * The compiled tier: which code is compiled to regions, and running them. Everything here is cache
 * and policy; what a region does is what the interpreter does with the same blocks.
 *
 * <p>Where the host allows it regions are {@linkplain MachineCode machine code}. The rest of this
 * class is about bytecode. A block that is the target of backward jumps, calls and indirect jumps
 * counts how often it is; past the threshold it is compiled, on the vCPU thread, which takes some
 * hundred microseconds. HotSpot needs far longer to compile what comes out (its threads do that in
 * the background), and a region is slower than the base tier until it has. So compilation has a
 * budget, in instructions, that grows with the steps executed: code that is worth it gets its turn
 * a little later, and a flat profile, as a boot has, cannot flood HotSpot.
 */
final class Regions {
  /** Heat of a block that nothing can be made of. */
  static final int NEVER = Integer.MIN_VALUE;

  private static final int RECENT = 1 << 15;

  private final Hart hart;
  private final Mmu mmu;
  private final CodeCache code;
  private final MemoryOps memory;
  private final SystemOps system;
  private final EngineOptions options;
  private final RegionLoader[] loaders = new RegionLoader[4];
  private final GuestRam ram;
  private boolean wantsMachineCode;
  private MachineCode machineCode;

  /**
   * Units by the address at which they were entered, a few bits of it: the short way from one
   * region to the next, whose every load is a cache miss in a large program. What it holds is
   * checked against the page that the address leads to now.
   */
  private final Unit[] recent = new Unit[RECENT];

  private final ArrayDeque<Unit> units = new ArrayDeque<>();

  private long target;
  private boolean soft;
  private long creditAt;
  private long credit;

  // Statistics
  private long compiled;
  private long compiledInstructions;
  private long evicted;
  private long stepsInRegions;

  Regions(
      Hart hart,
      Mmu mmu,
      CodeCache code,
      MemoryOps memory,
      SystemOps system,
      EngineOptions options,
      GuestRam ram) {
    this.system = system;
    this.ram = ram;
    this.hart = hart;
    this.mmu = mmu;
    this.code = code;
    this.memory = memory;
    this.options = options;
    this.credit = options.creditMax();
    this.wantsMachineCode = options.mode() == EngineOptions.Mode.REGIONS;
  }

  /** Tells of a new run: the step it ends at, and whether it may end earlier. */
  void start(long targetStep, boolean softEnd) {
    target = targetStep;
    soft = softEnd;
  }

  /**
   * Runs regions from a block that has become hot, as long as one follows the other.
   *
   * @return fuel left with {@code hart.pc} set, the same as before if the block has to be
   *     interpreted; or {@link RegionCode#LEAVE}
   */
  long run(Block block, long pc, long left) {
    if (machineCodeIsThere()) {
      long after = machineCode.run(block, pc, left, target, soft);
      stepsInRegions += left - (after == RegionCode.LEAVE ? target - hart.steps : after);
      return after;
    }
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
    long before = left;
    long at = pc;
    while (true) {
      if (left < unit.entryFuel) {
        stepsInRegions += before - left;
        if (soft) {
          hart.pc = at;
          hart.steps = target - left;
          return RegionCode.LEAVE;
        }
        return left;
      }
      if (unit.usesFloat && !floatReady) {
        stepsInRegions += before - left;
        return left;
      }
      left =
          unit.runs < options.warmUpRuns()
              ? runBriefly(unit, at, left)
              : unit.code.run(at & -4096L, left);
      unit.runs++;
      if (left < 0) {
        stepsInRegions += before - (target - hart.steps);
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
        stepsInRegions += before - left;
        return left;
      }
    }
  }

  /** Made when the first block is hot: a machine that is only looked at needs none. */
  private boolean machineCodeIsThere() {
    if (machineCode == null && wantsMachineCode) {
      wantsMachineCode = false;
      CodeSpace.create(hart.x, mmu.loadFast, mmu.storeFast, ram)
          .ifPresent(
              space -> {
                machineCode = new MachineCode(hart, memory, system, space, options.unitsMax());
                code.setFollower(machineCode);
              });
    }
    return machineCode != null;
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
      block.heat = NEVER;
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

  /** Drops all units. */
  void dropAll() {
    if (machineCode != null) {
      machineCode.forgetAll();
    }
    evictDownTo(0);
    Arrays.fill(recent, null);
  }

  EngineStats stats() {
    MachineCode m = machineCode;
    return m == null
        ? new EngineStats(compiled, compiledInstructions, units.size(), evicted, stepsInRegions)
        : new EngineStats(
            compiled + m.compiled(),
            compiledInstructions + m.compiledInstructions(),
            units.size() + m.units(),
            evicted + m.forgotten(),
            stepsInRegions);
  }
}
