package io.lockstep.vm.engine.region;

import io.lockstep.vm.hart.Hart;
import java.lang.invoke.MethodHandles;

/**
 * What the emitted code of one machine in one data context works on. Public because the copies of
 * {@link RegionMemory} live in other class loaders.
 */
public final class RegionContext {
  public final Hart hart;
  public final long[] loadFast;
  public final long[] storeFast;
  public final int base;
  public final SlowPath slow;
  MethodHandles.Lookup lookup;
  RegionCode delivered;

  /**
   * Collects.
   *
   * @param base index of the context's first entry in the fast-path arrays
   */
  public RegionContext(Hart hart, long[] loadFast, long[] storeFast, int base, SlowPath slow) {
    this.hart = hart;
    this.loadFast = loadFast;
    this.storeFast = storeFast;
    this.base = base;
    this.slow = slow;
  }

  /** Takes the right to define classes beside a copy of {@link RegionMemory}. */
  public void open(MethodHandles.Lookup beside) {
    lookup = beside;
  }

  /** Takes the instance of the class that is being defined. */
  public void deliver(RegionCode code) {
    delivered = code;
  }
}
