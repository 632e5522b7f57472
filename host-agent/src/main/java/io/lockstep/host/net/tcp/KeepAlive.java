package io.lockstep.host.net.tcp;

/**
 * Notices that a silent peer is gone (RFC 9293 §3.8.4). The probes counted are those since the peer
 * was last heard.
 */
final class KeepAlive {
  private static final int PROBES = 9;

  private final TcpConfig config;
  private long at = Long.MAX_VALUE;
  private int probes;

  KeepAlive(TcpConfig config) {
    this.config = config;
  }

  /** When to {@link #probe} or {@link #postpone}. */
  long deadline() {
    return at;
  }

  void heard(long now) {
    probes = 0;
    postpone(now);
  }

  /** Retransmission watches over the peer at present. */
  void postpone(long now) {
    at = now + config.keepAlive();
  }

  /** Counts a probe; false if there were enough without an answer. */
  boolean probe(long now) {
    if (probes++ >= PROBES) {
      return false;
    }
    at = now + config.keepAliveInterval();
    return true;
  }

  void stop() {
    at = Long.MAX_VALUE;
  }
}
