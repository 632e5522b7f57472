package io.lockstep.vm.engine;

import io.lockstep.vm.engine.region.Region;
import io.lockstep.vm.engine.region.RegionCode;

/** A compiled region, as it hangs on the block that it starts at. */
final class Unit {
  /** What {@link #page} is once the unit is discarded. */
  private static final CodePage NOWHERE = new CodePage(-1);

  /** What is run; null once it is discarded, so that its class can go. */
  RegionCode code;

  final Block entry;

  /** Where it starts in its page. */
  final int start;

  /** The page that it is in; another one, which no address leads to, once it is discarded. */
  CodePage page;

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

  /** Makes a unit and hangs it on its block. */
  Unit(RegionCode code, Block entry, int context, Region region) {
    this.code = code;
    this.entry = entry;
    this.start = entry.start();
    this.page = entry.page;
    this.context = context;
    this.entryFuel = region.entryFuel();
    this.usesFloat = region.usesFloat();
    this.instructions = region.instructions();
    this.other = entry.unit;
    entry.unit = this;
  }

  /** From now on it is neither found nor run, whoever still knows it. */
  void discard() {
    page = NOWHERE;
    code = null;
    entry.heat = 0;
    if (entry.unit == this) {
      entry.unit = other;
      return;
    }
    for (Unit u = entry.unit; u != null; u = u.other) {
      if (u.other == this) {
        u.other = other;
      }
    }
  }
}
