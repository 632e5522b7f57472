package io.lockstep.host.net.tcp;

/**
 * When what is unacknowledged is sent again, and when the peer is given up (RFC 6298 §5). Whenever
 * a connection has been flushed it runs exactly if something is unacknowledged.
 */
final class RetransmissionTimer {
  private static final long NEVER = Long.MAX_VALUE;
  private static final int KICKS = 3;
  private static final long KICK_TIMEOUT = 20_000_000L;

  private final RttEstimator rtt;
  private long at = NEVER;
  private long lastProgress;

  // Repetitions that come soon, because the peer was at another place when the first copy left.
  private int kicks;

  RetransmissionTimer(RttEstimator rtt, long now) {
    this.rtt = rtt;
    this.lastProgress = now;
  }

  long deadline() {
    return at;
  }

  /** Starts it, if it doesn't run. */
  void start(long now) {
    if (at == NEVER) {
      at = now + (kicks > 0 ? KICK_TIMEOUT << KICKS - kicks : rtt.timeout());
    }
  }

  void stop() {
    at = NEVER;
  }

  /** The peer's silence counts from now on. */
  void countFrom(long now) {
    lastProgress = now;
  }

  /** The peer has acknowledged something. */
  void progress(long now) {
    rtt.progress();
    kicks = 0;
    lastProgress = now;
  }

  /** It went off: the next time it takes longer. */
  void backOff() {
    if (kicks > 0) {
      kicks--;
    } else {
      rtt.backOff();
    }
  }

  /** The next few go off soon. */
  void hurry() {
    rtt.progress();
    kicks = KICKS;
    at = NEVER;
  }

  boolean isSilentFor(long time, long now) {
    return now - lastProgress >= time;
  }
}
