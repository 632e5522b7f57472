package io.lockstep.host.net.tcp;

/**
 * How much may be on its way (RFC 5681, RFC 6582). The floor is high: the path is a private link
 * with its own back-pressure, where a small window only costs time.
 */
final class CongestionWindow {
  private static final int INITIAL_SEGMENTS = 88;
  private static final int FLOOR_SEGMENTS = 16;
  private static final long MAX = 8L << 20;

  private final int mss;
  private long window;
  private long threshold = MAX;
  private boolean recovering;
  private long recoveryEnd;

  CongestionWindow(int mss) {
    this.mss = mss;
    this.window = (long) INITIAL_SEGMENTS * mss;
  }

  long window() {
    return window;
  }

  boolean recovering() {
    return recovering;
  }

  /** New data was acknowledged up to {@code position}. */
  void acknowledged(long bytes, long position) {
    if (recovering) {
      if (position >= recoveryEnd) {
        recovering = false;
        window = Math.max(threshold, floor());
      }
      return;
    }
    long growth =
        window < threshold ? bytes : Math.max(1, (long) mss * Math.min(bytes, window) / window);
    window = Math.min(MAX, window + growth);
  }

  /** Something was lost; counts once per window of data. */
  void lost(long inFlight, long sent) {
    if (!recovering) {
      recovering = true;
      recoveryEnd = sent;
      threshold = Math.max(inFlight / 2, floor());
      window = threshold;
    }
  }

  /** Nothing came back for a whole timeout. */
  void timedOut(long inFlight, long sent) {
    threshold = Math.max(inFlight / 2, floor());
    window = floor();
    recovering = true;
    recoveryEnd = sent;
  }

  /** The path is a new one: nothing that was learnt about the old one counts. */
  void reset() {
    recovering = false;
    threshold = MAX;
    window = (long) INITIAL_SEGMENTS * mss;
  }

  private long floor() {
    return (long) FLOOR_SEGMENTS * mss;
  }
}
