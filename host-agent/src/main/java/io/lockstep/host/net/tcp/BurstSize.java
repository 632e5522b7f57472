package io.lockstep.host.net.tcp;

/**
 * How many segments may leave as one, at least one.
 *
 * <p>A guest's driver may refuse large ones although its port takes them; then they vanish on every
 * attempt, so after a timeout single segments are tried, and more again when those get through.
 */
final class BurstSize {
  private static final long STEP = 256 << 10;
  private static final long STEP_MAX = 1L << 40;

  private final int most;
  private int segments;
  private long ackedSinceChange;
  private long step = STEP;

  BurstSize(int most) {
    this.most = most;
    this.segments = most;
  }

  /** Bytes of a burst. */
  long bytes(int mss) {
    return (long) mss * segments;
  }

  void acknowledged(long bytes) {
    if (segments < most) {
      ackedSinceChange += bytes;
      if (ackedSinceChange >= step) {
        ackedSinceChange = 0;
        segments = Math.min(most, segments * 2);
      }
    }
  }

  /** A burst has vanished: single segments, for longer each time. */
  void collapse() {
    segments = 1;
    ackedSinceChange = 0;
    step = Math.min(STEP_MAX, step * 2);
  }
}
