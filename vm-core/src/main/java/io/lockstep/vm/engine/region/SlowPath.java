package io.lockstep.vm.engine.region;

/** Memory accesses of emitted code that miss the fast path. */
public interface SlowPath {
  /**
   * Does one access: load, store, atomic, or zeroing of a cache block.
   *
   * @param address virtual address
   * @param operand what to store or to combine with; anything for a load
   * @param left the region's fuel at this point
   * @param info the instruction, {@link AccessInfo}
   * @return what the instruction writes to its destination, if it has one
   * @throws RegionLeave if the run must end: either because the instruction has trapped, or after
   *     it; {@link #leave} knows
   */
  long access(long address, long operand, long left, long info);

  /**
   * Completes what {@link #access} has thrown out of, once registers are back in the hart.
   *
   * @param page the virtual address of the region's page
   */
  void leave(long page);
}
