package io.lockstep.vm.engine;

import io.lockstep.vm.engine.region.Region;
import io.lockstep.vm.engine.region.RegionCode;

/** A compiled region, as it hangs on the block that it starts at. */
final class Unit {
  /** What {@link #page} is once the unit must not be found any more. */
  private static final CodePage NOWHERE = new CodePage(-1);

  /** What is run; null once it is withdrawn for good, so that its class can go. */
  RegionCode code;

  final Block entry;

  /** Where it starts in its page. */
  final int start;

  /** The page that it is in; another one, which no address leads to, once it is withdrawn. */
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

  Unit(RegionCode code, Block entry, int context, Region region) {
    this.code = code;
    this.entry = entry;
    this.start = entry.start();
    this.page = entry.page;
    this.context = context;
    this.entryFuel = region.entryFuel();
    this.usesFloat = region.usesFloat();
    this.instructions = region.instructions();
  }

  /** From now on it is not found any more. */
  void withdraw() {
    page = NOWHERE;
  }

  /** It is not run any more, whoever still knows it. */
  void discard() {
    withdraw();
    code = null;
  }
}
