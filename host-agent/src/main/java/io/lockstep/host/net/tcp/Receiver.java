package io.lockstep.host.net.tcp;

/**
 * The direction from the peer: puts its stream in order for the application, and decides when it is
 * acknowledged and how much room it is told of.
 *
 * <p>What the peer was told holds: the edge up to which it may send never goes back, whatever the
 * application does, and {@code next()} never passes it by more than the FIN.
 */
final class Receiver {
  private static final long NEVER = Long.MAX_VALUE;

  private final TcpConfig config;
  private final ReceiveQueue queue;
  private final ReceiveQueue.Sink sink;
  private final int windowShift;
  private PeerOptions peer = PeerOptions.UNKNOWN;

  private long fin = NEVER;
  private boolean finTaken;
  private boolean endTaken;
  private boolean stopped;

  // What the last acknowledgment said.
  private long toldEdge;
  private long toldNext;

  private boolean ackNow;
  private long delayedAckAt = NEVER;

  Receiver(TcpConfig config, BufferPool pool, ReceiveQueue.Sink sink) {
    this.config = config;
    this.queue = new ReceiveQueue(pool, config.receiveBuffer(), 1);
    this.sink = sink;
    this.windowShift = shiftFor(config.receiveBuffer());
  }

  private static int shiftFor(int window) {
    return Math.max(0, 16 - Integer.numberOfLeadingZeros(window >>> 1));
  }

  /** The peer's SYN has come. */
  void start(PeerOptions said) {
    peer = said;
    toldEdge = queue.edge();
    toldNext = 0;
  }

  /** Our window scale. */
  int windowShift() {
    return windowShift;
  }

  /** Position of the next that is missing. */
  long next() {
    return queue.next() + (finTaken ? 1 : 0);
  }

  /** Bytes in order that the application hasn't taken. */
  int waiting() {
    return queue.waiting();
  }

  // ---- where segments lie ----

  /** The sequence number of {@link #next}. */
  int nextSequence() {
    return peer.sequences().of(next());
  }

  /** The position that a sequence number of the peer means. */
  long position(int sequence) {
    return peer.sequences().position(sequence, next());
  }

  /** RFC 9293 §3.10.7.4, first check. */
  boolean isAcceptable(long position, int size) {
    if (size == 0) {
      return position == next() || position > next() && position <= toldEdge;
    }
    return position < toldEdge && position + size > next();
  }

  /** Whether a reset at a position may be real, so that the peer is to be asked (RFC 5961 §3). */
  boolean isAhead(long position) {
    return position > next() && position < toldEdge;
  }

  // ---- what arrives ----

  /** Takes the payload of an acceptable segment. */
  void takeData(TcpSegment s, long position, long now) {
    if (finTaken) {
      ackNow = true;
      return;
    }
    int length =
        (int) Math.min(s.length, Math.max(0, Math.min(fin, position + s.length) - position));
    boolean hadGaps = queue.hasGaps();
    boolean inOrder = queue.insert(position, s.data, s.offset, length, sink);
    if (!inOrder || hadGaps) {
      ackNow = true; // RFC 5681 §4.2: at once when there is or was a gap.
    } else if (next() - toldNext >= 2L * peer.mss()) {
      ackNow = true;
    } else {
      delayedAckAt = Math.min(delayedAckAt, now + config.delayedAck());
    }
  }

  /** Notes where the peer's stream ends. */
  void noteFin(long position) {
    if (fin == NEVER && position <= toldEdge) {
      fin = position;
    }
    ackNow = true;
  }

  /** Takes the peer's FIN if everything before it is there; true once. */
  boolean takeFin() {
    if (finTaken || fin != queue.next()) {
      return false;
    }
    finTaken = true;
    ackNow = true;
    return true;
  }

  /** Gives the application what waits; true if it took something. */
  boolean drain() {
    if (stopped || queue.drain(sink) == 0) {
      return false;
    }
    if (queue.edge() - toldEdge >= config.receiveBuffer() / 4) {
      ackNow = true;
    }
    return true;
  }

  /** Takes the end of the stream if the application has taken everything before it; true once. */
  boolean takeEnd() {
    if (!finTaken || endTaken || queue.waiting() > 0 || stopped) {
      return false;
    }
    endTaken = true;
    return true;
  }

  /** True once {@link #takeEnd} was. */
  boolean isAtEnd() {
    return endTaken;
  }

  /** Gives the buffers back: nobody will take what comes. */
  void stop() {
    stopped = true;
    queue.release();
  }

  // ---- acknowledgments ----

  /** The peer is to hear of us with the next flush. */
  void acknowledgeSoon() {
    ackNow = true;
  }

  /**
   * Whether an acknowledgment is to be sent on its own.
   *
   * @param dataSent whether data has just taken one along; that doesn't say what is missing
   */
  boolean owesAcknowledgment(boolean dataSent) {
    return ackNow && (!dataSent || queue.hasGaps());
  }

  /** Whatever was owed is sent. */
  void settle() {
    ackNow = false;
  }

  long deadline() {
    return delayedAckAt;
  }

  void onTimer(long now) {
    if (delayedAckAt <= now) {
      delayedAckAt = NEVER;
      ackNow = true;
    }
  }

  /** Fills in what has arrived; the peer knows it from here on. */
  void acknowledge(TcpSegment segment) {
    toldNext = next();
    toldEdge = Math.max(toldEdge, queue.edge());
    delayedAckAt = NEVER;
    segment.acknowledgment = nextSequence();
  }

  /** Fills in what is missing, if the peer understands that. */
  void describeGaps(TcpSegment segment) {
    if (peer.sack() && queue.hasGaps()) {
      queue.describeGaps(segment, peer.sequences().initial());
    }
  }

  /** The window as it is put in a segment, if it fits there; that of a SYN is not scaled. */
  long windowField(boolean syn) {
    if (syn) {
      return config.receiveBuffer();
    }
    long window = Math.max(0, toldEdge - next());
    return peer.scales() ? window >> windowShift : window;
  }
}
