package io.lockstep.host.net.tcp;

import java.io.IOException;
import java.nio.channels.ReadableByteChannel;

/**
 * One end of a TCP connection (RFC 9293, 6298, 2018, 7323 window scale, 5961, 8985 loss detection)
 * as a state machine: it has no socket, thread or clock. Segments and the time are put in, segments
 * and events come out.
 *
 * <p>Use: after any number of {@link #onSegment}, {@link #write}, {@link #drain}, ... call {@link
 * #flush} once, which sends all that may be sent; then look at {@link #deadline} and call {@link
 * #onTimer} at that time. Times are nanoseconds of any monotonic clock. Not thread-safe.
 */
public final class TcpConnection {
  /** RFC 9293 §3.3.2, without LISTEN, which is not a connection's. */
  public enum State {
    SYN_SENT,
    SYN_RECEIVED,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    CLOSE_WAIT,
    CLOSING,
    LAST_ACK,
    TIME_WAIT,
    CLOSED
  }

  /** Why a connection is over. */
  public enum End {
    /** Both directions were closed and everything arrived. */
    FINISHED,
    /** The peer reset it. */
    RESET,
    /** The peer didn't answer for too long. */
    TIMED_OUT,
    /** {@link #abort} was called. */
    ABORTED
  }

  /** Where segments go. */
  public interface Output {
    /** An array in which {@link #payloadOffset} bytes are free before the payload, for headers. */
    byte[] payloadArray();

    int payloadOffset();

    /** Sends a segment. Ports are not filled in. */
    void transmit(TcpConnection connection, TcpSegment segment);

    /** True if it is wiser to wait: {@link #flush} is to be called again when it no longer is. */
    boolean congested(TcpConnection connection);
  }

  /** The one who uses the connection. Must not call back from within, except {@link #write}. */
  public interface Application {
    void established();

    /** Takes bytes in order and returns how many; the rest is kept until {@link #drain}. */
    int deliver(byte[] data, int offset, int length);

    /** The peer has closed its direction and everything before that was delivered. */
    void endOfStream();

    /** There is room again in the send buffer. */
    void sendSpace();

    /** The connection is of no more use; called once. In TIME_WAIT only timers go on. */
    void ended(End end);
  }

  private static final long NEVER = Long.MAX_VALUE;
  private static final int DEFAULT_MSS = 536;
  private static final int LEAST_MSS = 64;
  private static final int KEEP_ALIVE_PROBES = 9;
  private static final int DUPLICATES = 3;
  private static final long PERSIST_MAX = 1_000_000_000L;
  private static final long BURST_STEP = 256 << 10;
  private static final long BURST_STEP_MAX = 1L << 40;
  private static final long KICK_RTO = 20_000_000L;

  private final TcpConfig config;
  private final Output output;
  private final Application application;
  private final TcpSegment out = new TcpSegment();
  private final RttEstimator rtt;
  private final SendQueue queue = new SendQueue();
  private final ByteRing sendRing;
  private final ReceiveQueue receive;
  private final ReceiveQueue.Sink sink;
  private final int initialSequence;
  private final int windowShift;

  private State state;
  private boolean ended;
  private boolean endOfStreamSaid;
  private boolean held;
  private CongestionWindow congestion;
  private int mss = DEFAULT_MSS;
  private int peerShift;
  private boolean peerSack;
  private boolean peerScales;

  private int peerInitialSequence;
  private long peerWindow;
  private long largestPeerWindow;
  private long windowUpdateFrom;
  private long windowUpdateAck;
  private long finPosition = NEVER;
  private long peerFin = NEVER;
  private boolean peerFinTaken;
  private long advertisedEdge;
  private long acknowledgedToPeer;
  private int duplicateAcks;
  private boolean spaceWanted;
  private boolean stalled;
  private boolean forceSmall;

  // Segments that may leave as one. A guest's driver may refuse large ones although its port takes
  // them; then they
  // vanish on every attempt, so after a timeout single segments are tried, and more again when
  // those get through.
  private int burst;
  private long ackedSinceBurstChange;
  private long burstStep = BURST_STEP;

  private boolean ackNow;
  private long delayedAckAt = NEVER;
  private long retransmitAt = NEVER;
  private long lossCheckAt = NEVER;
  private long persistAt = NEVER;
  private int persistBackoff;
  private long lingerAt = NEVER;
  private long keepAliveAt = NEVER;
  private int keepAliveProbes;
  private long lastProgress;
  private int kicks;
  private long retransmissions;

  private TcpConnection(
      TcpConfig config,
      BufferPool pool,
      Output output,
      Application application,
      int initialSequence,
      State state,
      long now) {
    this.config = config;
    this.burst = config.burst();
    this.output = output;
    this.application = application;
    this.initialSequence = initialSequence;
    this.state = state;
    this.rtt = new RttEstimator(config);
    this.sendRing = new ByteRing(pool, config.sendBuffer(), 1);
    this.receive = new ReceiveQueue(pool, config.receiveBuffer(), 1);
    this.sink = application::deliver;
    this.windowShift = shiftFor(config.receiveBuffer());
    this.lastProgress = now;
    this.congestion = new CongestionWindow(mss);
  }

  private static int shiftFor(int window) {
    return Math.max(0, 16 - Integer.numberOfLeadingZeros(window >>> 1));
  }

  /** Opens actively; {@link #flush} sends the SYN. */
  public static TcpConnection connect(
      TcpConfig config,
      BufferPool pool,
      Output output,
      Application application,
      int initialSequence,
      long now) {
    return new TcpConnection(
        config, pool, output, application, initialSequence, State.SYN_SENT, now);
  }

  /**
   * Opens passively from a SYN. Nothing is answered before {@link #accept}.
   *
   * @param syn a segment with SYN and without ACK and RST
   */
  public static TcpConnection fromSyn(
      TcpConfig config,
      BufferPool pool,
      Output output,
      Application application,
      TcpSegment syn,
      int initialSequence,
      long now) {
    TcpConnection c =
        new TcpConnection(
            config, pool, output, application, initialSequence, State.SYN_RECEIVED, now);
    c.held = true;
    c.takeSyn(syn);
    return c;
  }

  /** Lets a passive connection answer. */
  public void accept() {
    held = false;
  }

  public State state() {
    return state;
  }

  /** True once {@link Application#ended} was called. */
  public boolean isEnded() {
    return ended;
  }

  /** True if nothing at all is left to do: the connection can be forgotten. */
  public boolean isForgettable() {
    return state == State.CLOSED;
  }

  /** True if {@link #flush} left something because the output was congested. */
  public boolean isStalled() {
    return stalled;
  }

  public long retransmissions() {
    return retransmissions;
  }

  /** Bytes that wait to be sent or acknowledged. */
  public int sendWaiting() {
    return sendRing.size();
  }

  /** Bytes that wait for the application. */
  public int receiveWaiting() {
    return receive.waiting();
  }

  /** Bytes of unacknowledged sequence space. */
  public long unacknowledged() {
    return queue.sent() - queue.unacknowledged();
  }

  // ---- the application's side ----

  /** Bytes that {@link #write} would take. */
  public int sendSpace() {
    return finPosition == NEVER && !ended ? sendRing.free() : 0;
  }

  /**
   * Takes bytes for sending and returns how many; if not all, {@link Application#sendSpace} will
   * follow.
   */
  public int write(byte[] data, int offset, int length) {
    int count = sendSpace() == 0 ? 0 : sendRing.append(data, offset, length);
    spaceWanted |= count < length;
    return count;
  }

  /**
   * Takes bytes for sending from a channel.
   *
   * @return bytes read; 0 if none are there or there is no room; -1 at the end
   */
  public int writeFrom(ReadableByteChannel channel, int most) throws IOException {
    if (sendSpace() == 0) {
      spaceWanted = true;
      return 0;
    }
    int count = sendRing.readFrom(channel, most);
    spaceWanted |= sendRing.free() == 0;
    return count;
  }

  /** Nothing more will be sent. */
  public void closeOutput() {
    if (finPosition == NEVER && !ended) {
      finPosition = sendRing.tail();
      if (state == State.ESTABLISHED) {
        state = State.FIN_WAIT_1;
      } else if (state == State.CLOSE_WAIT) {
        state = State.LAST_ACK;
      }
    }
  }

  /** The application has room again. */
  public void drain() {
    if (!ended && receive.drain(sink) > 0) {
      considerWindowUpdate();
      considerEndOfStream();
    }
  }

  /** The application is gone: the peer has a limited time to close its direction. */
  public void orphan(long now) {
    lingerAt = Math.min(lingerAt, now + config.orphanTimeout());
  }

  /** Resets the connection. */
  public void abort() {
    if (state == State.CLOSED || state == State.TIME_WAIT) {
      return;
    }
    if (!held && state != State.SYN_SENT) {
      out.clear();
      sendBare(TcpSegment.RST | TcpSegment.ACK, queue.sent());
    } else if (held) {
      out.clear();
      out.flags = TcpSegment.RST | TcpSegment.ACK;
      out.sequence = 0;
      out.acknowledgment = peerSequence(1);
      out.window = 0;
      output.transmit(this, out);
    }
    end(End.ABORTED);
    state = State.CLOSED;
  }

  /**
   * The peer has moved to another place, and what was on its way to the old one may be gone: sends
   * everything that is unacknowledged again at once, and an acknowledgment, and repeats that soon
   * if nothing comes back.
   */
  public void kick(long now) {
    if (held || state == State.CLOSED || state == State.TIME_WAIT) {
      return;
    }
    queue.loseAllAndDistrustSack();
    congestion.reset();
    rtt.progress();
    duplicateAcks = 0;
    kicks = 3;
    retransmitAt = NEVER;
    persistBackoff = 0;
    if (persistAt != NEVER) {
      persistAt = now;
    }
    ackNow = state != State.SYN_SENT;
    flush(now);
  }

  // ---- segments ----

  /** Takes in a segment of this connection. */
  public void onSegment(TcpSegment s, long now) {
    switch (state) {
      case CLOSED -> {}
      case SYN_SENT -> onSynSent(s, now);
      case SYN_RECEIVED,
          ESTABLISHED,
          FIN_WAIT_1,
          FIN_WAIT_2,
          CLOSE_WAIT,
          CLOSING,
          LAST_ACK,
          TIME_WAIT ->
          onSynchronized(s, now);
    }
  }

  /**
   * True if a SYN may start a new connection in place of this one (RFC 9293 §3.10.7.4, RFC 6191).
   */
  public boolean isReplaceableBy(TcpSegment syn) {
    return state == State.CLOSED
        || state == State.TIME_WAIT && syn.sequence - peerSequence(receiveNext()) > 0;
  }

  private void onSynSent(TcpSegment s, long now) {
    boolean acceptableAck =
        s.has(TcpSegment.ACK) && s.acknowledgment == sequence(1) && queue.sent() >= 1;
    if (s.has(TcpSegment.ACK) && !acceptableAck) {
      if (!s.has(TcpSegment.RST)) {
        out.clear();
        out.flags = TcpSegment.RST;
        out.sequence = s.acknowledgment;
        out.window = 0;
        output.transmit(this, out);
      }
      return;
    }
    if (s.has(TcpSegment.RST)) {
      if (acceptableAck) {
        end(End.RESET);
        state = State.CLOSED;
      }
      return;
    }
    if (!s.has(TcpSegment.SYN)) {
      return;
    }
    takeSyn(s);
    if (acceptableAck) {
      queue.acknowledge(1, now, rtt);
      becomeEstablished(now);
      ackNow = true;
    } else {
      state = State.SYN_RECEIVED;
      queue.loseAll();
    }
  }

  private void takeSyn(TcpSegment s) {
    peerInitialSequence = s.sequence;
    peerScales = s.windowScale >= 0;
    peerShift = Math.max(0, s.windowScale);
    peerSack = s.sackPermitted;
    mss = Math.max(LEAST_MSS, Math.min(config.mss(), s.mss < 0 ? DEFAULT_MSS : s.mss));
    congestion = new CongestionWindow(mss);
    // The window in a SYN is not scaled (RFC 7323 §2.2).
    peerWindow = s.window;
    largestPeerWindow = s.window;
    windowUpdateFrom = 0;
    advertisedEdge = receive.edge();
    acknowledgedToPeer = 0;
  }

  private void becomeEstablished(long now) {
    state = finPosition == NEVER ? State.ESTABLISHED : State.FIN_WAIT_1;
    lastProgress = now;
    retransmitAt = NEVER;
    keepAliveAt = now + config.keepAlive();
    application.established();
  }

  private void onSynchronized(TcpSegment s, long now) {
    if (held) {
      if (s.has(TcpSegment.RST) && s.sequence == peerSequence(1)) {
        end(End.RESET);
        state = State.CLOSED;
      }
      return;
    }
    long position = receiveNext() + (s.sequence - peerSequence(receiveNext()));
    if (s.has(TcpSegment.RST)) {
      onReset(position);
      return;
    }
    if (s.has(TcpSegment.SYN)) {
      // A repeated SYN while our answer is on its way, or nonsense (RFC 5961 §4).
      if (state == State.SYN_RECEIVED && position == 0) {
        queue.loseFirst();
      } else {
        ackNow = true;
      }
      return;
    }
    if (!s.has(TcpSegment.ACK)) {
      return;
    }
    boolean acceptable = isAcceptable(position, s.length + (s.has(TcpSegment.FIN) ? 1 : 0));
    if (!acceptable) {
      ackNow = true;
      if (position != receiveNext()) {
        return;
      }
    }
    keepAliveAt = now + config.keepAlive();
    keepAliveProbes = 0;
    if (!onAcknowledgment(s, position, now) || ended && state == State.CLOSED) {
      return;
    }
    if (acceptable && state != State.SYN_RECEIVED) {
      onText(s, position, now);
    }
  }

  private void onReset(long position) {
    if (position == receiveNext()) {
      end(End.RESET);
      state = State.CLOSED;
    } else if (position > receiveNext() && position < advertisedEdge) {
      ackNow = true;
    }
  }

  /** RFC 9293 §3.10.7.4, first check. */
  private boolean isAcceptable(long position, int size) {
    long next = receiveNext();
    if (size == 0) {
      return position == next || position > next && position <= advertisedEdge;
    }
    return position < advertisedEdge && position + size > next;
  }

  /** Returns false if the segment is to be dropped. */
  private boolean onAcknowledgment(TcpSegment s, long position, long now) {
    long una = queue.unacknowledged();
    long ack = una + (s.acknowledgment - sequence(una));
    if (ack > queue.sent()) {
      ackNow = true;
      return false;
    }
    if (state == State.SYN_RECEIVED) {
      if (ack < 1) {
        return false;
      }
      queue.acknowledge(1, now, rtt);
      updateWindow(s, position, ack);
      becomeEstablished(now);
      una = queue.unacknowledged();
    }
    if (ack < una) {
      return true;
    }
    long windowBefore = peerWindow;
    updateWindow(s, position, ack);
    boolean sackedMore = peerSack && takeSack(s, now);
    if (ack > una) {
      onProgress(ack, ack - una, now);
    } else if (!queue.isEmpty()
        && s.length == 0
        && !s.has(TcpSegment.FIN)
        && (sackedMore || peerWindow == windowBefore)) {
      duplicateAcks++;
    }
    detectLosses(ack > una, now);
    return true;
  }

  private void updateWindow(TcpSegment s, long position, long ack) {
    if (position > windowUpdateFrom || position == windowUpdateFrom && ack >= windowUpdateAck) {
      peerWindow = (long) s.window << (peerScales ? peerShift : 0);
      largestPeerWindow = Math.max(largestPeerWindow, peerWindow);
      windowUpdateFrom = position;
      windowUpdateAck = ack;
    }
  }

  private boolean takeSack(TcpSegment s, long now) {
    int before = queue.sackedCount();
    long una = queue.unacknowledged();
    for (int i = 0; i < s.sackBlocks; i++) {
      long from = una + (s.sack[2 * i] - sequence(una));
      long to = una + (s.sack[2 * i + 1] - sequence(una));
      queue.selectivelyAcknowledge(from, to, now, rtt);
    }
    return queue.sackedCount() > before;
  }

  private void onProgress(long ack, long bytes, long now) {
    queue.acknowledge(ack, now, rtt);
    rtt.progress();
    lastProgress = now;
    duplicateAcks = 0;
    kicks = 0;
    congestion.acknowledged(bytes, ack);
    if (burst < config.burst()) {
      ackedSinceBurstChange += bytes;
      if (ackedSinceBurstChange >= burstStep) {
        ackedSinceBurstChange = 0;
        burst = Math.min(config.burst(), burst * 2);
      }
    }
    retransmitAt = queue.isEmpty() ? NEVER : now + rtt.timeout();
    long dataAcked = Math.min(ack, sendRing.tail());
    if (dataAcked > sendRing.head()) {
      sendRing.advanceHead(dataAcked);
      sendRing.releaseIfEmpty();
      if (spaceWanted && sendRing.free() >= config.sendBuffer() / 4 && !ended) {
        spaceWanted = false;
        application.sendSpace();
      }
    }
    if (finPosition != NEVER && ack > finPosition) {
      onFinAcknowledged(now);
    }
  }

  private void onFinAcknowledged(long now) {
    switch (state) {
      case FIN_WAIT_1 -> state = State.FIN_WAIT_2;
      case CLOSING -> enterTimeWait(now);
      case LAST_ACK -> finishLastAck();
      case SYN_SENT, SYN_RECEIVED, ESTABLISHED, FIN_WAIT_2, CLOSE_WAIT, TIME_WAIT, CLOSED -> {}
    }
  }

  /** Over, unless the application is still to take some of what arrived. */
  private void finishLastAck() {
    if (receive.waiting() == 0) {
      end(End.FINISHED);
      state = State.CLOSED;
    }
  }

  private void detectLosses(boolean progress, long now) {
    if (queue.isEmpty()) {
      lossCheckAt = NEVER;
      return;
    }
    int lostBefore = queue.lostCount();
    boolean recovering = congestion.recovering();
    if (peerSack) {
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

  private void onText(TcpSegment s, long position, long now) {
    if (s.length > 0) {
      onData(s, position, now);
    }
    if (s.has(TcpSegment.FIN)) {
      long fin = position + s.length;
      if (peerFin == NEVER && fin <= advertisedEdge) {
        peerFin = fin;
      }
      ackNow = true;
    }
    if (!peerFinTaken && peerFin == receive.next()) {
      peerFinTaken = true;
      ackNow = true;
      switch (state) {
        case ESTABLISHED, SYN_RECEIVED -> state = State.CLOSE_WAIT;
        case FIN_WAIT_1 -> state = State.CLOSING;
        case FIN_WAIT_2 -> enterTimeWait(now);
        case SYN_SENT, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT, CLOSED -> {}
      }
    } else if (state == State.TIME_WAIT && s.has(TcpSegment.FIN)) {
      lingerAt = now + config.timeWait();
    }
    considerEndOfStream();
  }

  private void onData(TcpSegment s, long position, long now) {
    if (peerFinTaken || ended) {
      if (ended && state != State.TIME_WAIT) {
        // Nobody will ever read it (RFC 9293 §3.6.1).
        abortSilently();
      }
      ackNow = true;
      return;
    }
    int length =
        (int) Math.min(s.length, Math.max(0, Math.min(peerFin, position + s.length) - position));
    boolean hadGaps = receive.hasGaps();
    boolean inOrder = receive.insert(position, s.data, s.offset, length, sink);
    if (!inOrder || hadGaps) {
      ackNow = true; // RFC 5681 §4.2: at once when there is or was a gap.
    } else if (receiveNext() - acknowledgedToPeer >= 2L * mss) {
      ackNow = true;
    } else {
      delayedAckAt = Math.min(delayedAckAt, now + config.delayedAck());
    }
  }

  private void abortSilently() {
    out.clear();
    sendBare(TcpSegment.RST | TcpSegment.ACK, queue.sent());
    state = State.CLOSED;
  }

  private void considerEndOfStream() {
    if (peerFinTaken && !endOfStreamSaid && receive.waiting() == 0 && !ended) {
      endOfStreamSaid = true;
      application.endOfStream();
      if (state == State.TIME_WAIT) {
        end(End.FINISHED);
      } else if (state == State.LAST_ACK && queue.unacknowledged() > finPosition) {
        finishLastAck();
      }
    }
  }

  private void considerWindowUpdate() {
    long gain = receive.edge() - advertisedEdge;
    if (gain >= config.receiveBuffer() / 4) {
      ackNow = true;
    }
  }

  private void enterTimeWait(long now) {
    state = State.TIME_WAIT;
    lingerAt = now + config.timeWait();
    queue.clear();
    sendRing.release();
    retransmitAt = NEVER;
    lossCheckAt = NEVER;
    persistAt = NEVER;
    keepAliveAt = NEVER;
    if (endOfStreamSaid) {
      end(End.FINISHED);
    }
  }

  private void end(End end) {
    if (!ended) {
      ended = true;
      queue.clear();
      sendRing.release();
      receive.release();
      application.ended(end);
    }
  }

  // ---- sending ----

  /** Sends what may be sent now. */
  public void flush(long now) {
    if (held || state == State.CLOSED) {
      return;
    }
    boolean sent = state != State.TIME_WAIT && sendQueued(now);
    if (state == State.CLOSED) {
      return;
    }
    if (ackNow
        && (!sent || receive.hasGaps())
        && state != State.SYN_SENT
        && state != State.SYN_RECEIVED) {
      out.clear();
      if (peerSack && receive.hasGaps()) {
        receive.describeGaps(out, peerInitialSequence);
      }
      sendBare(TcpSegment.ACK, queue.sent());
    }
    if (state != State.SYN_SENT) {
      ackNow = false;
    }
    armRetransmission(now);
  }

  private boolean sendQueued(long now) {
    boolean any = false;
    stalled = false;
    if (queue.sent() == 0) {
      transmit(queue.send(1, now), now);
      return true;
    }
    while (true) {
      SendQueue.Transmission lost = queue.nextLost();
      boolean something = lost != null || hasNewToSend();
      if (something && output.congested(this)) {
        stalled = true;
        return any;
      }
      if (lost != null) {
        if (queue.inFlight() > 0 && queue.inFlight() + lost.length() > congestion.window()) {
          return any;
        }
        cutToBurst(lost);
        queue.resend(lost, now);
        retransmissions++;
        transmit(lost, now);
      } else {
        long to = something ? nextNewEnd() : 0;
        if (to <= queue.sent()) {
          return any;
        }
        if (queue.isEmpty()) {
          lastProgress = now;
        }
        transmit(queue.send(to, now), now);
        forceSmall = false;
      }
      any = true;
    }
  }

  private boolean hasNewToSend() {
    boolean open = state != State.SYN_SENT && state != State.SYN_RECEIVED;
    return open && (queue.sent() < sendRing.tail() || queue.sent() == finPosition);
  }

  /**
   * Where the next new transmission ends; not after {@code queue.sent()} if nothing may be sent
   * now.
   */
  private long nextNewEnd() {
    long from = queue.sent();
    long available = sendRing.tail() - from;
    if (available == 0) {
      return from + 1; // the FIN alone, whatever the window
    }
    long byWindow = queue.unacknowledged() + peerWindow - from;
    long byCongestion = congestion.window() - queue.inFlight();
    long size = Math.min(Math.min(available, (long) mss * burst), Math.min(byWindow, byCongestion));
    if (size <= 0) {
      return from;
    }
    if (size < available && size < mss) {
      // Silly window avoidance (RFC 1122 §4.2.3.4); the persist timer overrides.
      boolean worthwhile = forceSmall || size >= largestPeerWindow / 2 && byWindow <= byCongestion;
      if (!worthwhile) {
        return from;
      }
    }
    if (size > mss && size < available) {
      size -= size % mss;
    }
    long to = from + size;
    return to == finPosition && byWindow > size ? to + 1 : to;
  }

  private void transmit(SendQueue.Transmission t, long now) {
    out.clear();
    long dataFrom = Math.max(1, t.from);
    long dataTo = Math.min(t.to, sendRing.tail());
    out.length = (int) Math.max(0, dataTo - dataFrom);
    out.data = output.payloadArray();
    out.offset = output.payloadOffset();
    if (out.length > 0) {
      sendRing.copyOut(dataFrom, out.data, out.offset, out.length);
      if (dataTo == sendRing.tail()) {
        out.flags |= TcpSegment.PSH;
      }
    }
    if (t.from == 0) {
      out.flags |= TcpSegment.SYN;
      out.mss = config.mss();
      out.windowScale = state == State.SYN_SENT || peerScales ? windowShift : -1;
      out.sackPermitted = state == State.SYN_SENT || peerSack;
    }
    if (t.to > finPosition) {
      out.flags |= TcpSegment.FIN;
    }
    if (state != State.SYN_SENT) {
      out.flags |= TcpSegment.ACK;
    }
    emit(t.from);
    if (retransmitAt == NEVER) {
      retransmitAt = now + retransmissionTimeout();
    }
  }

  private long retransmissionTimeout() {
    return kicks > 0 ? KICK_RTO << 3 - kicks : rtt.timeout();
  }

  private void sendBare(int flags, long position) {
    out.flags |= flags;
    out.length = 0;
    emit(position);
  }

  private void emit(long position) {
    out.sequence = sequence(position);
    if (out.has(TcpSegment.ACK)) {
      long next = receiveNext();
      out.acknowledgment = peerSequence(next);
      acknowledgedToPeer = next;
      advertisedEdge = Math.max(advertisedEdge, receive.edge());
      delayedAckAt = NEVER;
    }
    out.window = windowField();
    output.transmit(this, out);
  }

  private int windowField() {
    if (out.has(TcpSegment.SYN)) {
      return Math.min(65_535, config.receiveBuffer());
    }
    long window = Math.max(0, advertisedEdge - receiveNext());
    return (int) Math.min(65_535, peerScales ? window >> windowShift : window);
  }

  private void armRetransmission(long now) {
    if (queue.isEmpty()) {
      retransmitAt = NEVER;
      boolean blocked = hasNewToSend() && !stalled;
      if (!blocked) {
        persistAt = NEVER;
        persistBackoff = 0;
      } else if (persistAt == NEVER) {
        persistAt = now + Math.min(PERSIST_MAX, rtt.timeout() << persistBackoff);
      }
    } else {
      persistAt = NEVER;
      persistBackoff = 0;
      if (retransmitAt == NEVER) {
        retransmitAt = now + retransmissionTimeout();
      }
    }
  }

  // ---- time ----

  /** When {@link #onTimer} is to be called, or {@link Long#MAX_VALUE}. */
  public long deadline() {
    if (state == State.CLOSED) {
      return NEVER;
    }
    return Math.min(
        Math.min(Math.min(delayedAckAt, retransmitAt), Math.min(lossCheckAt, persistAt)),
        Math.min(lingerAt, keepAliveAt));
  }

  /** Does what is due, and flushes. */
  public void onTimer(long now) {
    if (state == State.CLOSED) {
      return;
    }
    if (lingerAt <= now) {
      onLingerOver(now);
      return;
    }
    if (delayedAckAt <= now) {
      delayedAckAt = NEVER;
      ackNow = true;
    }
    if (lossCheckAt <= now) {
      lossCheckAt = NEVER;
      detectLosses(true, now);
    }
    if (retransmitAt <= now && !onRetransmissionTimeout(now)) {
      return;
    }
    if (persistAt <= now) {
      onPersist();
    }
    if (keepAliveAt <= now && !onKeepAlive(now)) {
      return;
    }
    flush(now);
  }

  private void onLingerOver(long now) {
    if (state == State.TIME_WAIT && receive.waiting() > 0) {
      lingerAt = now + config.timeWait();
      return;
    }
    if (state != State.TIME_WAIT) {
      out.clear();
      sendBare(TcpSegment.RST | TcpSegment.ACK, queue.sent());
    }
    end(state == State.TIME_WAIT ? End.FINISHED : End.TIMED_OUT);
    state = State.CLOSED;
  }

  private boolean onRetransmissionTimeout(long now) {
    retransmitAt = NEVER;
    if (queue.isEmpty()) {
      return true;
    }
    boolean opening = state == State.SYN_SENT || state == State.SYN_RECEIVED;
    if (now - lastProgress >= (opening ? config.connectTimeout() : config.userTimeout())) {
      end(End.TIMED_OUT);
      state = State.CLOSED;
      return false;
    }
    if (kicks > 0) {
      kicks--;
    } else {
      rtt.backOff();
    }
    congestion.timedOut(queue.sent() - queue.unacknowledged(), queue.sent());
    queue.loseAllAndDistrustSack();
    duplicateAcks = 0;
    SendQueue.Transmission oldest = queue.first();
    if (oldest.length() > mss) {
      burst = 1;
      ackedSinceBurstChange = 0;
      burstStep = Math.min(BURST_STEP_MAX, burstStep * 2);
    }
    cutToBurst(oldest);
    queue.resend(oldest, now);
    retransmissions++;
    transmit(oldest, now);
    retransmitAt = now + retransmissionTimeout();
    return true;
  }

  private void cutToBurst(SendQueue.Transmission t) {
    long most = (long) mss * burst;
    if (t.length() > most) {
      queue.split(t, t.from + most);
    }
  }

  private void onPersist() {
    persistAt = NEVER;
    persistBackoff = Math.min(persistBackoff + 1, 8);
    forceSmall = true;
    if (nextNewEnd() <= queue.sent()) {
      // An old sequence number makes the peer say what its window is.
      out.clear();
      sendBare(TcpSegment.ACK, queue.unacknowledged() - 1);
    }
  }

  private boolean onKeepAlive(long now) {
    if (state == State.SYN_SENT || state == State.SYN_RECEIVED || !queue.isEmpty()) {
      keepAliveAt = now + config.keepAlive();
      return true;
    }
    if (keepAliveProbes++ >= KEEP_ALIVE_PROBES) {
      end(End.TIMED_OUT);
      state = State.CLOSED;
      return false;
    }
    keepAliveAt = now + config.keepAliveInterval();
    out.clear();
    sendBare(TcpSegment.ACK, queue.unacknowledged() - 1);
    return true;
  }

  // ---- positions and sequence numbers ----

  private int sequence(long position) {
    return initialSequence + (int) position;
  }

  private int peerSequence(long position) {
    return peerInitialSequence + (int) position;
  }

  private long receiveNext() {
    return receive.next() + (peerFinTaken ? 1 : 0);
  }

  /** Writes a reset that answers a segment which belongs to no connection (RFC 9293 §3.10.7.1). */
  public static void resetFor(TcpSegment s, TcpSegment reset) {
    reset.clear();
    reset.sourcePort = s.destinationPort;
    reset.destinationPort = s.sourcePort;
    if (s.has(TcpSegment.ACK)) {
      reset.flags = TcpSegment.RST;
      reset.sequence = s.acknowledgment;
    } else {
      reset.flags = TcpSegment.RST | TcpSegment.ACK;
      reset.sequence = 0;
      reset.acknowledgment =
          s.sequence + s.length + (s.has(TcpSegment.SYN) ? 1 : 0) + (s.has(TcpSegment.FIN) ? 1 : 0);
    }
    reset.window = 0;
  }

  @Override
  public String toString() {
    return state
        + " una="
        + queue.unacknowledged()
        + " sent="
        + queue.sent()
        + " next="
        + receiveNext();
  }
}
