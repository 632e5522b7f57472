package io.lockstep.host.net.tcp;

import java.io.IOException;
import java.nio.channels.ReadableByteChannel;

/**
 * The direction to the peer: keeps the application's bytes until they are acknowledged, and decides
 * what of them leaves when.
 *
 * <p>The ring holds the bytes from {@link #unacknowledged} on; nothing after its tail has left but
 * the FIN, which lies there once the application has closed and then nothing is added any more.
 */
final class Sender {
  private static final long NEVER = Long.MAX_VALUE;

  private final TcpConfig config;
  private final TcpConnection.Application application;
  private final SegmentWriter writer;
  private final SequenceNumbers sequences;
  private final int windowShift;
  private final ByteRing ring;
  private final Flight flight;
  private final PeerWindow window = new PeerWindow();
  private final PersistTimer persist = new PersistTimer();
  private final BurstSize burst;
  private PeerOptions peer = PeerOptions.UNKNOWN;

  private long fin = NEVER;
  private boolean stopped;
  private boolean spaceWanted;
  private boolean stalled;
  private boolean smallAllowed;

  Sender(
      TcpConfig config,
      BufferPool pool,
      TcpConnection.Application application,
      SegmentWriter writer,
      SequenceNumbers sequences,
      int windowShift,
      long now) {
    this.config = config;
    this.application = application;
    this.writer = writer;
    this.sequences = sequences;
    this.windowShift = windowShift;
    this.ring = new ByteRing(pool, config.sendBuffer(), 1);
    this.flight = new Flight(config, now);
    this.burst = new BurstSize(config.burst());
  }

  /** The peer's SYN has come. */
  void start(PeerOptions said, int itsWindow) {
    peer = said;
    flight.start(said);
    window.start(itsWindow);
  }

  /** Oldest unacknowledged position. */
  long unacknowledged() {
    return flight.unacknowledged();
  }

  /** Position after all that has been sent. */
  long sent() {
    return flight.sent();
  }

  /** True once the peer has acknowledged the SYN. */
  boolean isOpen() {
    return flight.isOpen();
  }

  /** True if the peer owes no acknowledgment. */
  boolean isIdle() {
    return flight.isOpen() && flight.isEmpty();
  }

  /** True if something was left because the output was congested. */
  boolean isStalled() {
    return stalled;
  }

  long retransmissions() {
    return flight.retransmissions();
  }

  // ---- the application's side ----

  /** Bytes that wait to be sent or acknowledged. */
  int waiting() {
    return ring.size();
  }

  /** Bytes that {@link #write} would take. */
  int space() {
    return fin == NEVER && !stopped ? ring.free() : 0;
  }

  int write(byte[] data, int offset, int length) {
    int count = space() == 0 ? 0 : ring.append(data, offset, length);
    spaceWanted |= count < length;
    return count;
  }

  int writeFrom(ReadableByteChannel channel, int most) throws IOException {
    if (space() == 0) {
      spaceWanted = true;
      return 0;
    }
    int count = ring.readFrom(channel, most);
    spaceWanted |= ring.free() == 0;
    return count;
  }

  /** Puts the FIN after what was written; true if it wasn't there. */
  boolean close() {
    if (fin != NEVER || stopped) {
      return false;
    }
    fin = ring.tail();
    return true;
  }

  boolean isClosed() {
    return fin != NEVER;
  }

  /** Forgets everything: nothing is sent again. */
  void stop() {
    stopped = true;
    flight.clear();
    persist.stop();
    ring.release();
  }

  // ---- what comes back ----

  /** The position that a sequence number in an acknowledgment means. */
  long position(int sequence) {
    return sequences.position(sequence, flight.unacknowledged());
  }

  void synAcknowledged(long now) {
    flight.synAcknowledged(now);
  }

  /** The SYN is to be sent again. */
  void loseSyn() {
    flight.loseFirst();
  }

  /** What has left is to be sent again, in another form. */
  void loseAll() {
    flight.loseAll();
  }

  /** Takes the window of a segment; true if it is another one now. */
  boolean takeWindow(TcpSegment s, long position, long ack) {
    return window.update(s.window, Math.max(0, peer.windowScale()), position, ack);
  }

  /**
   * Takes an acknowledgment.
   *
   * @param position of the segment in the peer's stream
   * @param ack what it acknowledges, between {@link #unacknowledged} and {@link #sent}
   * @return true if that is the FIN, for the first time
   */
  boolean takeAcknowledgment(TcpSegment s, long position, long ack, long now) {
    boolean windowChanged = takeWindow(s, position, ack);
    boolean sackedMore = flight.takeSack(s, sequences, now);
    boolean progress = ack > flight.unacknowledged();
    if (progress) {
      onProgress(ack, now);
    } else if (!flight.isEmpty()
        && s.length == 0
        && !s.has(TcpSegment.FIN)
        && (sackedMore || !windowChanged)) {
      flight.duplicateAcknowledgment();
    }
    flight.detectLosses(progress, now);
    return progress && isFinAcknowledged();
  }

  private void onProgress(long ack, long now) {
    burst.acknowledged(ack - flight.unacknowledged());
    flight.acknowledged(ack, now);
    long dataAcked = Math.min(ack, ring.tail());
    if (dataAcked > ring.head()) {
      ring.advanceHead(dataAcked);
      ring.releaseIfEmpty();
      if (spaceWanted && ring.free() >= config.sendBuffer() / 4) {
        spaceWanted = false;
        application.sendSpace();
      }
    }
  }

  boolean isFinAcknowledged() {
    return flight.unacknowledged() > fin;
  }

  // ---- sending ----

  /** Sends what may be sent now; true if that was something. */
  boolean send(long now) {
    boolean any = false;
    stalled = false;
    if (flight.sent() == 0) {
      transmit(flight.send(1, now));
      return true;
    }
    while (true) {
      SendQueue.Transmission lost = flight.nextLost();
      boolean something = lost != null || hasNew();
      if (something && writer.congested()) {
        stalled = true;
        return any;
      }
      if (lost != null) {
        if (!flight.hasRoomFor(lost)) {
          return any;
        }
        resend(lost, now);
      } else {
        long to = something ? nextEnd() : 0;
        if (to <= flight.sent()) {
          return any;
        }
        transmit(flight.send(to, now));
        smallAllowed = false;
      }
      any = true;
    }
  }

  /** Has the timers run that are to run after everything that may be sent was. */
  void settle(long now) {
    flight.settle(now);
    if (flight.isEmpty() && hasNew() && !stalled) {
      persist.start(now, flight.timeout());
    } else {
      persist.stop();
    }
  }

  private boolean hasNew() {
    return flight.isOpen() && (flight.sent() < ring.tail() || flight.sent() == fin);
  }

  /** Where the next new transmission ends; not after {@link #sent} if nothing may be sent now. */
  private long nextEnd() {
    long from = flight.sent();
    long available = ring.tail() - from;
    if (available == 0) {
      return from + 1; // the FIN alone, whatever the window
    }
    int mss = peer.mss();
    long byWindow = flight.unacknowledged() + window.size() - from;
    long byCongestion = flight.room();
    long size = Math.min(Math.min(available, burst.bytes(mss)), Math.min(byWindow, byCongestion));
    if (size <= 0) {
      return from;
    }
    if (size < available && size < mss) {
      // Silly window avoidance (RFC 1122 §4.2.3.4); the persist timer overrides.
      boolean worthwhile = smallAllowed || size >= window.largest() / 2 && byWindow <= byCongestion;
      if (!worthwhile) {
        return from;
      }
    }
    if (size > mss && size < available) {
      size -= size % mss;
    }
    long to = from + size;
    return to == fin && byWindow > size ? to + 1 : to;
  }

  private void resend(SendQueue.Transmission t, long now) {
    flight.resend(t, burst.bytes(peer.mss()), now);
    transmit(t);
  }

  private void transmit(SendQueue.Transmission t) {
    TcpSegment out = writer.begin();
    long dataFrom = Math.max(1, t.from);
    long dataTo = Math.min(t.to, ring.tail());
    out.length = (int) Math.max(0, dataTo - dataFrom);
    if (out.length > 0) {
      ring.copyOut(dataFrom, out.data, out.offset, out.length);
      if (dataTo == ring.tail()) {
        out.flags |= TcpSegment.PSH;
      }
    }
    if (t.from == 0) {
      out.flags |= TcpSegment.SYN;
      out.mss = config.mss();
      out.windowScale = peer.scalingGoesIntoSyn() ? windowShift : -1;
      out.sackPermitted = peer.sackGoesIntoSyn();
    }
    if (t.to > fin) {
      out.flags |= TcpSegment.FIN;
    }
    if (peer.known()) {
      out.flags |= TcpSegment.ACK;
    }
    writer.send(t.from);
  }

  /** Sends an old sequence number, which makes the peer say what it has and where its window is. */
  void probe() {
    writer.bare(TcpSegment.ACK, flight.unacknowledged() - 1);
  }

  /** Sends everything that is unacknowledged again with the next {@link #send}, and soon after. */
  void kick(long now) {
    flight.kick();
    persist.hurry(now);
  }

  // ---- time ----

  long deadline() {
    return Math.min(flight.deadline(), persist.deadline());
  }

  /** Does what is due; false if the peer is to be given up. */
  boolean onTimer(long now) {
    flight.checkLosses(now);
    if (flight.isTimeoutDue(now)) {
      if (flight.isHopeless(now)) {
        return false;
      }
      onTimeout(now);
    }
    if (persist.deadline() <= now) {
      onPersist();
    }
    return true;
  }

  private void onTimeout(long now) {
    SendQueue.Transmission oldest = flight.timedOut();
    if (oldest != null) {
      if (oldest.length() > peer.mss()) {
        burst.collapse();
      }
      resend(oldest, now);
    }
  }

  private void onPersist() {
    persist.expired();
    smallAllowed = true;
    if (nextEnd() <= flight.sent()) {
      probe();
    }
  }
}
