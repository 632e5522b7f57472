package io.lockstep.vm.machine;

import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.snapshot.Stateful;

/**
 * Guest time as a function of steps: {@code min(base + (steps - baseStep) * slope / 2^32, cap)}.
 * Every value is a non-negative tick count.
 */
public final class GuestClock implements Stateful {
  /** A tick that never comes. */
  public static final long NEVER = Long.MAX_VALUE;

  private long baseTicks;
  private long baseStep;
  private long slopeQ32;
  private long capTicks = NEVER;

  /** Continues from tick {@code ticks} at step {@code step}; never moves backwards. */
  public void rebase(long step, long ticks, long slope, long cap) {
    long now = ticksAt(step);
    baseTicks = Math.max(now, ticks);
    baseStep = step;
    slopeQ32 = Math.max(0, slope);
    capTicks = Math.max(baseTicks, cap);
  }

  /** The clock at {@code step}, which must not lie before the last {@link #rebase}. */
  public long ticksAt(long step) {
    long delta = step - baseStep;
    // The product's high half is zero for any real slope; if it is not, the cap is the right answer
    // anyway.
    if (Math.multiplyHigh(delta, slopeQ32) != 0 || delta * slopeQ32 < 0) {
      return capTicks;
    }
    long ticks = baseTicks + ((delta * slopeQ32) >>> 32);
    return ticks < 0 ? capTicks : Math.min(ticks, capTicks);
  }

  /**
   * The first step at which the clock shows {@code ticks} or more; {@link #NEVER} if that is not
   * before the next reading.
   */
  public long stepOf(long ticks) {
    if (Long.compareUnsigned(ticks, baseTicks) <= 0) {
      return baseStep;
    }
    if (ticks < 0 || ticks > capTicks || slopeQ32 == 0) {
      return NEVER;
    }
    long wanted = ticks - baseTicks;
    if (wanted >= 1L << 31) {
      return stepOfFar(wanted);
    }
    long scaled = wanted << 32;
    return baseStep + (scaled + slopeQ32 - 1) / slopeQ32;
  }

  private long stepOfFar(long wanted) {
    long whole = Math.multiplyHigh(wanted, 1L << 32);
    if (whole >= slopeQ32) {
      return NEVER;
    }
    long low = wanted << 32;
    // 128 by 64 bit division, one bit at a time: this path is as rare as a timer minutes away.
    long remainder = whole;
    long quotient = 0;
    for (int bit = 63; bit >= 0; bit--) {
      long carry = remainder >>> 63;
      remainder = remainder << 1 | (low >>> bit & 1);
      quotient <<= 1;
      if (carry != 0 || Long.compareUnsigned(remainder, slopeQ32) >= 0) {
        remainder -= slopeQ32;
        quotient |= 1;
      }
    }
    long steps = quotient + (remainder == 0 ? 0 : 1);
    return steps < 0 || baseStep + steps < 0 ? NEVER : baseStep + steps;
  }

  @Override
  public void save(StateWriter out) {
    out.section("clock").putLong(baseTicks).putLong(baseStep).putLong(slopeQ32).putLong(capTicks);
  }

  @Override
  public void restore(StateReader in) {
    in.section("clock");
    baseTicks = in.getLong();
    baseStep = in.getLong();
    slopeQ32 = in.getLong();
    capTicks = in.getLong();
  }
}
