package io.lockstep.ft.protocol;

/**
 * The protocol's durations, all in nanoseconds.
 *
 * @param beat between two heartbeats
 * @param suspect silence after which the other side is suspected
 * @param grace how long a primary whose connection broke waits for the secondary to come back,
 *     before it claims the next epoch
 * @param retry between two attempts to connect or to reach the storage
 * @param lagLow lag up to which the primary runs at full speed
 * @param lagHigh lag at which the primary is slowed the most
 * @param hopeless how long the primary may be slowed to less than a quarter before the secondary is
 *     dropped
 * @param switchOver how long a primary waits for a planned switch-over
 */
public record Timing(
    long beat,
    long suspect,
    long grace,
    long retry,
    long lagLow,
    long lagHigh,
    long hopeless,
    long switchOver) {
  private static final long MS = 1_000_000L;

  /** What a pair on a local network uses. */
  public static final Timing DEFAULT =
      new Timing(100 * MS, 400 * MS, 20 * MS, 20 * MS, 40 * MS, 140 * MS, 10_000 * MS, 5_000 * MS);

  /**
   * Silence after which an attach is given up: nothing depends on it yet, and a process that has
   * just started is slow.
   */
  public long attachSilence() {
    return 25 * suspect;
  }

  /** With another silence until suspicion; the heartbeat is a quarter of it. */
  public Timing withSuspect(long nanos) {
    return new Timing(nanos / 4, nanos, grace, retry, lagLow, lagHigh, hopeless, switchOver);
  }
}
