package io.lockstep.ft.protocol;

import java.util.Arrays;

/**
 * How much the primary is slowed, as a function of how far the secondary is behind.
 *
 * <p>Lag is a time: how long ago the oldest log entry that the secondary has not replayed was
 * written. The primary's speed is the input of an integrator whose output is the lag, so control in
 * proportion to the lag settles without swinging: at half speed in the middle between {@link
 * Timing#lagLow} and {@link Timing#lagHigh}.
 *
 * @param throttle fraction of the time that the vCPU stands still, 0 to {@link #THROTTLE_MAX}
 * @param mean of the throttle in the last second or two: a slow secondary works in bursts, and the
 *     throttle goes up and down with them
 * @param at when it was last looked at, or -1
 * @param lag nanoseconds
 * @param hardSince since when the mean is above {@link #THROTTLE_HARD}, or -1
 * @param ends ends of the log ...
 * @param times ... and when it had grown to there, ascending
 */
record Gear(
    double throttle, double mean, long at, long lag, long hardSince, long[] ends, long[] times) {
  /** The vCPU always keeps a little, so that the guest's watchdogs see it alive. */
  static final double THROTTLE_MAX = 0.95;

  /** Beyond this a secondary is on its way to be called hopeless. */
  static final double THROTTLE_HARD = 0.75;

  private static final double THROTTLE_STEP = 0.01;
  private static final double MEAN_NANOS = 1e9;
  private static final long BUCKET_NANOS = 2_000_000;
  private static final int BUCKETS_MAX = 256;

  /** Nothing sent, nothing owed. */
  static final Gear NEUTRAL = new Gear(0, 0, -1, 0, -1, new long[0], new long[0]);

  /** The log has grown to {@code next}. */
  Gear grown(long now, long next) {
    int n = times.length;
    if (n > 0 && now - times[n - 1] < BUCKET_NANOS) {
      long[] grown = ends.clone();
      grown[n - 1] = next;
      return log(grown, times);
    }
    if (n == BUCKETS_MAX) {
      return thinned().grown(now, next);
    }
    long[] moreEnds = Arrays.copyOf(ends, n + 1);
    long[] moreTimes = Arrays.copyOf(times, n + 1);
    moreEnds[n] = next;
    moreTimes[n] = now;
    return log(moreEnds, moreTimes);
  }

  private Gear log(long[] newEnds, long[] newTimes) {
    return new Gear(throttle, mean, at, lag, hardSince, newEnds, newTimes);
  }

  /** The gear for a secondary that has replayed to {@code replayedNext}. */
  Gear shifted(long now, long replayedNext, Timing timing) {
    int first = 0;
    while (first < ends.length && ends[first] <= replayedNext) {
      first++;
    }
    long newLag = first == ends.length ? 0 : now - times[first];
    double wanted = (double) (newLag - timing.lagLow()) / (timing.lagHigh() - timing.lagLow());
    double next = Math.max(0, Math.min(THROTTLE_MAX, wanted));
    if (next != 0 && next != THROTTLE_MAX && Math.abs(next - throttle) < THROTTLE_STEP) {
      next = throttle;
    }
    double passed = at < 0 ? 0 : now - at;
    double newMean = mean + (throttle - mean) * passed / (passed + MEAN_NANOS);
    long hard = newMean <= THROTTLE_HARD ? -1 : hardSince >= 0 ? hardSince : now;
    return new Gear(
        next,
        newMean,
        now,
        newLag,
        hard,
        Arrays.copyOfRange(ends, first, ends.length),
        Arrays.copyOfRange(times, first, times.length));
  }

  /** Whether slowing has not been enough for too long. */
  boolean hopeless(long now, Timing timing) {
    return hardSince >= 0 && now - hardSince > timing.hopeless();
  }

  private Gear thinned() {
    int kept = BUCKETS_MAX / 2;
    long[] fewerEnds = new long[kept];
    long[] fewerTimes = new long[kept];
    for (int i = 0; i < kept; i++) {
      fewerEnds[i] = ends[2 * i + 1];
      fewerTimes[i] = times[2 * i];
    }
    return log(fewerEnds, fewerTimes);
  }
}
