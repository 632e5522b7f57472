package io.lockstep.host.net.tcp;

/** Smoothed round trip and the retransmission timeout (RFC 6298). Times in nanoseconds. */
final class RttEstimator {
  private static final long GRANULARITY = 1_000_000L;
  private static final int BACKOFF_MAX = 10;

  private final TcpConfig config;
  private long smoothed;
  private long variation;
  private long least = Long.MAX_VALUE;
  private int backoff;

  RttEstimator(TcpConfig config) {
    this.config = config;
  }

  void sample(long rtt) {
    long r = Math.max(1, rtt);
    least = Math.min(least, r);
    if (smoothed == 0) {
      smoothed = r;
      variation = r / 2;
    } else {
      variation += (Math.abs(smoothed - r) - variation) / 4;
      smoothed += (r - smoothed) / 8;
    }
  }

  void backOff() {
    backoff = Math.min(BACKOFF_MAX, backoff + 1);
  }

  void progress() {
    backoff = 0;
  }

  long timeout() {
    long base =
        smoothed == 0
            ? config.initialRto()
            : Math.max(config.minRto(), smoothed + Math.max(GRANULARITY, 4 * variation));
    return Math.min(config.maxRto(), base << backoff);
  }

  /** The least round trip seen, or 0. */
  long least() {
    return least == Long.MAX_VALUE ? 0 : least;
  }

  long smoothed() {
    return smoothed;
  }
}
