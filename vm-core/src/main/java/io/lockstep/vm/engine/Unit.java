package io.lockstep.vm.engine;

import io.lockstep.vm.engine.region.Region;
import io.lockstep.vm.engine.region.RegionCode;

/** A compiled region, as it hangs on the block that it starts at. */
final class Unit {
  final RegionCode code;
  final Block entry;

  /** The data context that it was compiled for. */
  final int context;

  /** It may be entered only with at least this much fuel. */
  final int entryFuel;

  /** It may be entered only with floating-point state on, dirty, and rounding to nearest. */
  final boolean usesFloat;

  final int instructions;

  /** The same code for another context, or null. */
  Unit other;

  /** Times it was entered; wraps. */
  int runs;

  /** {@link #runs} when eviction last came by. */
  int runsSeen;

  Unit(RegionCode code, Block entry, int context, Region region) {
    this.code = code;
    this.entry = entry;
    this.context = context;
    this.entryFuel = region.entryFuel();
    this.usesFloat = region.usesFloat();
    this.instructions = region.instructions();
  }
}
