package io.lockstep.vm.engine.region;

/** The superclass of all emitted code: one instance of one hidden class for each region. */
public abstract class RegionCode {
  /** What {@link #run} returns when the engine's run must end; see there. */
  public static final long LEAVE = Long.MIN_VALUE;

  /** For emitted code. */
  protected RegionCode() {}

  /**
   * Runs the region from its start until it is left.
   *
   * @param page the virtual address of the page that the region runs at
   * @param left fuel: steps that may be taken, at least the region's longest way to its first check
   * @return the fuel left, not negative, with {@code hart.pc} at the next instruction; or {@link
   *     #LEAVE} with {@code hart.pc} and {@code hart.steps} exact, if an instruction trapped or
   *     interrupts must be looked at
   */
  public abstract long run(long page, long left);
}
