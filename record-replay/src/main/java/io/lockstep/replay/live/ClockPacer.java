package io.lockstep.replay.live;

import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.port.Input.ClockReading;

/**
 * Makes clock readings that keep the guest's clock close to the host's (DESIGN §2.2).
 *
 * <p>Between two readings the guest's clock advances with its steps. The slope is chosen so that it
 * arrives at the host's clock when the next reading is due, judged by how fast the machine ran
 * lately; so a clock that has come ahead (the machine ran faster than expected) slows down a little
 * and is met by the host's. The cap keeps it from passing the next reading by more than it already
 * is. A slope within 1/16 of the last one is not changed, because an unchanged one costs no bytes
 * in the log; what that leaves is corrected by the next reading.
 */
final class ClockPacer {
  /** Steps per tick before anything was measured: 200 million a second. */
  private static final double RATE_START = 20;

  private static final double RATE_WEIGHT = 0.25;

  /** Shorter spells say nothing about speed. */
  private static final long MEASURE_TICKS_MIN = 2_000;

  private static final long SLOPE_MAX = 1L << 40;
  private static final int KEEP_FRACTION = 16;
  private static final int AHEAD_FRACTION = 8;

  private final long intervalTicks;
  private double rate = RATE_START;
  private long slope = slopeFor(1, RATE_START);
  private long ranTicks;
  private long ranSteps;

  /** Readings come {@code intervalTicks} apart while the machine is busy. */
  ClockPacer(long intervalTicks) {
    this.intervalTicks = intervalTicks;
  }

  /** The machine did {@code steps} steps in {@code ticks} ticks during which it wanted to run. */
  void ran(long ticks, long steps) {
    ranTicks += ticks;
    ranSteps += steps;
    if (ranTicks >= MEASURE_TICKS_MIN) {
      double sample = Math.max(0.01, (double) ranSteps / ranTicks);
      rate += RATE_WEIGHT * (sample - rate);
      ranTicks = 0;
      ranSteps = 0;
    }
  }

  /** The reading for a host clock of {@code hostTicks}. */
  ClockReading reading(VirtualMachine machine, long hostTicks) {
    long guestTicks = machine.ticks();
    long ticks = Math.max(guestTicks, hostTicks);
    long ahead = ticks - hostTicks;
    long target = Math.max(0, intervalTicks - ahead);
    long wanted = slopeFor((double) target / intervalTicks, rate);
    if (Math.abs(wanted - slope) > slope / KEEP_FRACTION) {
      slope = wanted;
    }
    long capTicks =
        ahead <= intervalTicks / AHEAD_FRACTION
            ? ticks + intervalTicks
            : Math.max(ticks, hostTicks + intervalTicks);
    return new ClockReading(ticks, slope, capTicks);
  }

  /** The measured speed, in steps per tick. */
  double rate() {
    return rate;
  }

  private static long slopeFor(double share, double rate) {
    return Math.min(SLOPE_MAX, (long) (share / rate * (1L << 32)));
  }
}
