package io.lockstep.host.net.tcp;

/**
 * When to probe a window that lets nothing through (RFC 9293 §3.8.6.1). It runs only while
 * something is to be sent and nothing is on its way, so never together with the retransmission
 * timer.
 */
final class PersistTimer {
  private static final long NEVER = Long.MAX_VALUE;
  private static final long LONGEST = 1_000_000_000L;
  private static final int BACKOFF_MAX = 8;

  private long at = NEVER;
  private int backoff;

  long deadline() {
    return at;
  }

  /** Starts it, if it doesn't run. */
  void start(long now, long retransmissionTimeout) {
    if (at == NEVER) {
      at = now + Math.min(LONGEST, retransmissionTimeout << backoff);
    }
  }

  void stop() {
    at = NEVER;
    backoff = 0;
  }

  /** It went off: the next one takes longer. */
  void expired() {
    at = NEVER;
    backoff = Math.min(backoff + 1, BACKOFF_MAX);
  }

  /** Goes off at once, if it runs. */
  void hurry(long now) {
    backoff = 0;
    if (at != NEVER) {
      at = now;
    }
  }
}
