package io.lockstep.host.net.tcp;

/**
 * What the peer said in its SYN, which holds for the whole connection.
 *
 * @param known false as long as no SYN has come, and the rest is assumed
 * @param sequences those of the peer's stream
 * @param mss largest payload that it takes
 * @param windowScale shift of its windows, or -1 if neither side scales (RFC 7323 §2.2)
 * @param sack whether both sides may acknowledge selectively
 */
record PeerOptions(
    boolean known, SequenceNumbers sequences, int mss, int windowScale, boolean sack) {
  private static final int DEFAULT_MSS = 536;
  private static final int LEAST_MSS = 64;

  static final PeerOptions UNKNOWN =
      new PeerOptions(false, new SequenceNumbers(0), DEFAULT_MSS, -1, false);

  static PeerOptions of(TcpSegment syn, TcpConfig config) {
    int mss = Math.min(config.mss(), syn.mss < 0 ? DEFAULT_MSS : syn.mss);
    return new PeerOptions(
        true,
        new SequenceNumbers(syn.sequence),
        Math.max(LEAST_MSS, mss),
        syn.windowScale,
        syn.sackPermitted);
  }

  boolean scales() {
    return windowScale >= 0;
  }

  /** Whether our SYN carries the option: one that answers repeats only what was offered. */
  boolean scalingGoesIntoSyn() {
    return !known || scales();
  }

  /** Whether our SYN carries the option: one that answers repeats only what was offered. */
  boolean sackGoesIntoSyn() {
    return !known || sack;
  }
}
