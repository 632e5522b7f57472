package io.lockstep.vm.engine.region;

/**
 * Thrown through emitted code by an access that must not be followed by the next instruction. There
 * is one, made ahead, without a stack trace: what happened is in the {@link SlowPath} that threw
 * it.
 */
public final class RegionLeave extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** The only one. */
  @SuppressWarnings("StaticAssignmentOfThrowable")
  public static final RegionLeave INSTANCE = new RegionLeave();

  private RegionLeave() {
    super(null, null, false, false);
  }
}
