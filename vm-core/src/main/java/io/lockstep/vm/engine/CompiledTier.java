package io.lockstep.vm.engine;

import io.lockstep.vm.engine.region.RegionCode;

/**
 * One way to run hot code faster than the interpreter does. All that it holds is cache: what it
 * does is what the interpreter does with the same blocks.
 */
sealed interface CompiledTier permits MachineCode, BytecodeRegions {
  /**
   * Runs what has been made of a block that has become hot, and what follows it.
   *
   * @param left steps until the end of the run
   * @param target the step at which it ends
   * @param soft whether the run may end here if what is left is too little to go on
   * @return steps left with {@code hart.pc} set, the same as before if the block has to be
   *     interpreted; or {@link RegionCode#LEAVE}
   */
  long run(Block block, long pc, long left, long target, boolean soft);

  /** Forgets all that was made. Invisible to the guest. */
  void forgetAll();

  /** What it has done so far, with the steps that its caller has counted. */
  EngineStats stats(long stepsInRegions);
}
