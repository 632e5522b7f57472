package io.lockstep.vm.engine;

import io.lockstep.vm.engine.x86.CodeSpace;

/**
 * How guest code is executed. Nothing here is visible to the guest.
 *
 * @param mode which tiers there are
 * @param threshold how often a block is jumped to before it is compiled, at least 1
 * @param stepsPerInstruction steps that must be executed for each guest instruction compiled:
 *     bounds the rate
 * @param creditMax guest instructions that may be compiled in one go
 * @param unitsMax regions held at most
 * @param warmUpRuns how many times a new region is run with little fuel
 * @param warmUpFuel that fuel
 */
public record EngineOptions(
    Mode mode,
    int threshold,
    int stepsPerInstruction,
    int creditMax,
    int unitsMax,
    int warmUpRuns,
    int warmUpFuel) {

  /** The interpreter alone. */
  public static final EngineOptions INTERPRETER =
      new EngineOptions(Mode.INTERPRETER, Integer.MAX_VALUE, 1, 0, 0, 0, 0);

  /** The interpreter, and regions as machine code. */
  public static final EngineOptions REGIONS =
      new EngineOptions(Mode.REGIONS, 8, 1000, 20_000, Integer.MAX_VALUE, 100, 64);

  /** The interpreter, and regions as bytecode. */
  public static final EngineOptions BYTECODE =
      new EngineOptions(Mode.BYTECODE, 4000, 1000, 20_000, 16_000, 100, 64);

  /** Which tiers there are. */
  public enum Mode {
    /** Decoded blocks only. */
    INTERPRETER(8192),
    /** Hot code as JVM bytecode. */
    BYTECODE(8192),
    /** Hot code as code of the host's processor where there is such, else as JVM bytecode. */
    REGIONS(32_768);

    private final int slice;

    Mode(int slice) {
      this.slice = slice;
    }

    /** Steps that take some tens of microseconds. */
    public int slice() {
      return slice;
    }
  }

  private static volatile EngineOptions standard;

  /**
   * What is used when nothing else is said: both tiers, unless the process has chosen otherwise.
   */
  public static EngineOptions standard() {
    EngineOptions chosen = standard;
    return chosen != null ? chosen : of(Mode.REGIONS);
  }

  /**
   * Chooses what all machines of this process are executed with if nothing else is said; those that
   * exist already stay as they are.
   */
  public static void useAsStandard(Mode mode) {
    standard = of(mode);
  }

  /** The ordinary options of a mode, or of the one that takes its place on this host. */
  public static EngineOptions of(Mode mode) {
    return switch (mode) {
      case INTERPRETER -> INTERPRETER;
      case BYTECODE -> BYTECODE;
      case REGIONS -> CodeSpace.isPossible() ? REGIONS : BYTECODE;
    };
  }

  /** Compiles nearly everything, and much of it again and again: for tests. */
  public static EngineOptions eager(Mode mode, int threshold, int unitsMax) {
    return new EngineOptions(mode, threshold, 1, Integer.MAX_VALUE, unitsMax, 2, 64);
  }
}
