package io.lockstep.vm.engine;

import io.lockstep.vm.engine.region.RegionCode;
import io.lockstep.vm.engine.x86.CodeSpace;
import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.mmu.Mmu;
import java.util.Optional;

/**
 * What the engine runs hot code with: {@linkplain MachineCode machine code} where the host allows
 * it, {@linkplain BytecodeRegions bytecode} elsewhere and where it is asked for. A block that is
 * the target of backward jumps, calls and indirect jumps counts how often it is; past the threshold
 * it comes here.
 */
final class Regions {
  /** Heat of a block that nothing can be made of. */
  static final int NEVER = Integer.MIN_VALUE;

  private final Hart hart;
  private final Mmu mmu;
  private final CodeCache code;
  private final MemoryOps memory;
  private final SystemOps system;
  private final EngineOptions options;
  private final GuestRam ram;

  /** Made when the first block is hot: a machine that is only looked at needs none. */
  private CompiledTier tier;

  private long target;
  private boolean soft;
  private long stepsInRegions;

  Regions(
      Hart hart,
      Mmu mmu,
      CodeCache code,
      MemoryOps memory,
      SystemOps system,
      EngineOptions options,
      GuestRam ram) {
    this.hart = hart;
    this.mmu = mmu;
    this.code = code;
    this.memory = memory;
    this.system = system;
    this.options = options;
    this.ram = ram;
  }

  /** Tells of a new run: the step it ends at, and whether it may end earlier. */
  void start(long targetStep, boolean softEnd) {
    target = targetStep;
    soft = softEnd;
  }

  /** As {@link CompiledTier#run}, for the run that {@link #start} has told of. */
  long run(Block block, long pc, long left) {
    if (tier == null) {
      tier = choose();
    }
    long after = tier.run(block, pc, left, target, soft);
    stepsInRegions += left - (after == RegionCode.LEAVE ? target - hart.steps : after);
    return after;
  }

  private CompiledTier choose() {
    if (options.mode() == EngineOptions.Mode.REGIONS) {
      Optional<CodeSpace> space = CodeSpace.create(hart.x, mmu.loadFast, mmu.storeFast, ram);
      if (space.isPresent()) {
        MachineCode made = new MachineCode(hart, memory, system, space.get(), options.unitsMax());
        code.setFollower(made);
        return made;
      }
    }
    return new BytecodeRegions(hart, mmu, code, memory, options);
  }

  /** Drops all that was made. */
  void dropAll() {
    if (tier != null) {
      tier.forgetAll();
    }
  }

  EngineStats stats() {
    return tier == null ? EngineStats.NONE : tier.stats(stepsInRegions);
  }
}
