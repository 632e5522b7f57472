package io.lockstep.host.net.tcp;

/**
 * What is on its way to the peer: which of it is lost, when it is sent again, and whether the path
 * has room for more. It knows positions only, and neither bytes nor segments.
 *
 * <p>{@code unacknowledged() <= sent()}, and neither ever goes back. The retransmission timer and
 * the time of the next look for losses are set only while the flight isn't empty.
 */
final class Flight {
  private static final long NEVER = Long.MAX_VALUE;
  private static final int DUPLICATES = 3;

  private final TcpConfig config;
  private final SendQueue queue = new SendQueue();
  private final RttEstimator rtt;
  private final RetransmissionTimer timer;
  private CongestionWindow congestion = new CongestionWindow(PeerOptions.UNKNOWN.mss());
  private boolean sack;
  private int duplicateAcks;
  private long lossCheckAt = NEVER;
  private long retransmissions;

  Flight(TcpConfig config, long now) {
    this.config = config;
    this.rtt = new RttEstimator(config);
    this.timer = new RetransmissionTimer(rtt, now);
  }

  /** The peer's SYN has come. */
  void start(PeerOptions peer) {
    sack = peer.sack();
    congestion = new CongestionWindow(peer.mss());
  }

  /** Oldest unacknowledged position. */
  long unacknowledged() {
    return queue.unacknowledged();
  }

  /** Position after all that has been sent. */
  long sent() {
    return queue.sent();
  }

  boolean isEmpty() {
    return queue.isEmpty();
  }

  /** True once the peer has acknowledged the SYN. */
  boolean isOpen() {
    return queue.unacknowledged() > 0;
  }

  long retransmissions() {
    return retransmissions;
  }

  /** How long nothing need come back before it is sent again. */
  long timeout() {
    return rtt.timeout();
  }

  long deadline() {
    return Math.min(timer.deadline(), lossCheckAt);
  }

  // ---- what leaves ----

  /** Bytes of new data that the path has room for; may be negative. */
  long room() {
    return congestion.window() - queue.inFlight();
  }

  /** The oldest transmission to repeat, or null. */
  SendQueue.Transmission nextLost() {
    return queue.nextLost();
  }

  /** Whether a lost transmission may leave now; one alone always may. */
  boolean hasRoomFor(SendQueue.Transmission lost) {
    return queue.inFlight() == 0 || lost.length() <= room();
  }

  /** Notes that everything up to a position leaves for the first time. */
  SendQueue.Transmission send(long to, long now) {
    // For the SYN the time counts from the beginning, though it may have had to wait.
    if (queue.isEmpty() && queue.sent() > 0) {
      timer.countFrom(now);
    }
    SendQueue.Transmission t = queue.send(to, now);
    timer.start(now);
    return t;
  }

  /** Notes that a transmission, or what {@code most} bytes leave of it, is repeated. */
  void resend(SendQueue.Transmission t, long most, long now) {
    if (t.length() > most) {
      queue.split(t, t.from + most);
    }
    queue.resend(t, now);
    retransmissions++;
    timer.start(now);
  }

  /** Has the timer run if and only if something is on its way. */
  void settle(long now) {
    if (queue.isEmpty()) {
      timer.stop();
    } else {
      timer.start(now);
    }
  }

  // ---- what comes back ----

  void synAcknowledged(long now) {
    queue.acknowledge(1, now, rtt);
    timer.countFrom(now);
    timer.stop();
  }

  /** The peer has everything before a position, which is new. */
  void acknowledged(long position, long now) {
    long bytes = position - queue.unacknowledged();
    queue.acknowledge(position, now, rtt);
    timer.progress(now);
    timer.stop();
    settle(now);
    duplicateAcks = 0;
    congestion.acknowledged(bytes, position);
  }

  /** Takes the selective acknowledgments of a segment; true if they say something new. */
  boolean takeSack(TcpSegment s, SequenceNumbers sequences, long now) {
    if (!sack) {
      return false;
    }
    int before = queue.sackedCount();
    long una = queue.unacknowledged();
    for (int i = 0; i < s.sackBlocks; i++) {
      long from = sequences.position(s.sack[2 * i], una);
      long to = sequences.position(s.sack[2 * i + 1], una);
      queue.selectivelyAcknowledge(from, to, now, rtt);
    }
    return queue.sackedCount() > before;
  }

  void duplicateAcknowledgment() {
    duplicateAcks++;
  }

  // ---- losses ----

  /**
   * Marks what must be lost by now.
   *
   * @param progress whether something new was acknowledged
   */
  void detectLosses(boolean progress, long now) {
    if (queue.isEmpty()) {
      lossCheckAt = NEVER;
      return;
    }
    int lostBefore = queue.lostCount();
    boolean recovering = congestion.recovering();
    if (sack) {
      boolean mayHaveLost = queue.sackedCount() > 0 || recovering;
      lossCheckAt = mayHaveLost ? queue.findLosses(now, rtt) : NEVER;
    } else if (recovering ? progress && queue.first().times == 1 : duplicateAcks == DUPLICATES) {
      // RFC 6582: three duplicates, or a partial acknowledgment during recovery.
      queue.loseFirst();
    }
    if (queue.lostCount() > lostBefore) {
      congestion.lost(queue.sent() - queue.unacknowledged(), queue.sent());
    }
  }

  /** Looks for losses if that is due. */
  void checkLosses(long now) {
    if (lossCheckAt <= now) {
      lossCheckAt = NEVER;
      detectLosses(true, now);
    }
  }

  /** The SYN arrived, but the answer to it didn't. */
  void loseFirst() {
    queue.loseFirst();
  }

  /** Nothing that has left means anything to the peer. */
  void loseAll() {
    queue.loseAll();
  }

  boolean isTimeoutDue(long now) {
    return timer.deadline() <= now;
  }

  /** Whether the peer has been silent for so long that nothing more is to be expected. */
  boolean isHopeless(long now) {
    return !queue.isEmpty()
        && timer.isSilentFor(isOpen() ? config.userTimeout() : config.connectTimeout(), now);
  }

  /**
   * Nothing came back in time: everything counts as lost.
   *
   * @return the oldest transmission, to be repeated at once, or null if the flight is empty
   */
  SendQueue.Transmission timedOut() {
    timer.stop();
    if (queue.isEmpty()) {
      return null;
    }
    timer.backOff();
    congestion.timedOut(queue.sent() - queue.unacknowledged(), queue.sent());
    queue.loseAllAndDistrustSack();
    duplicateAcks = 0;
    return queue.first();
  }

  /** The path is another one: everything is to be sent again, and soon once more. */
  void kick() {
    queue.loseAllAndDistrustSack();
    congestion.reset();
    duplicateAcks = 0;
    timer.hurry();
  }

  /** Forgets what is on its way. */
  void clear() {
    queue.clear();
    timer.stop();
    lossCheckAt = NEVER;
  }
}
