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

  private final Receiver receiver;
  private final SegmentWriter writer;
  private final Sender sender;
  private final KeepAlive keepAlive;
  private final StateMachine machine;

  private TcpConnection(
      TcpConfig config,
      BufferPool pool,
      Output output,
      Application application,
      int initialSequence,
      long now) {
    SequenceNumbers sequences = new SequenceNumbers(initialSequence);
    this.receiver = new Receiver(config, pool, application::deliver);
    this.writer = new SegmentWriter(this, output, sequences, receiver);
    this.sender =
        new Sender(config, pool, application, writer, sequences, receiver.windowShift(), now);
    this.keepAlive = new KeepAlive(config);
    this.machine = new StateMachine(config, application, receiver, sender, writer, keepAlive);
  }

  /** Opens actively; {@link #flush} sends the SYN. */
  public static TcpConnection connect(
      TcpConfig config,
      BufferPool pool,
      Output output,
      Application application,
      int initialSequence,
      long now) {
    return new TcpConnection(config, pool, output, application, initialSequence, now);
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
    TcpConnection c = new TcpConnection(config, pool, output, application, initialSequence, now);
    c.machine.openPassively(syn);
    return c;
  }

  /** Lets a passive connection answer. */
  public void accept() {
    machine.accept();
  }

  public State state() {
    return machine.state();
  }

  /** True once {@link Application#ended} was called. */
  public boolean isEnded() {
    return machine.isEnded();
  }

  /** True if nothing at all is left to do: the connection can be forgotten. */
  public boolean isForgettable() {
    return machine.state() == State.CLOSED;
  }

  /** True if {@link #flush} left something because the output was congested. */
  public boolean isStalled() {
    return sender.isStalled();
  }

  public long retransmissions() {
    return sender.retransmissions();
  }

  /** Bytes that wait to be sent or acknowledged. */
  public int sendWaiting() {
    return sender.waiting();
  }

  /** Bytes that wait for the application. */
  public int receiveWaiting() {
    return receiver.waiting();
  }

  /** Bytes of unacknowledged sequence space. */
  public long unacknowledged() {
    return sender.sent() - sender.unacknowledged();
  }

  // ---- the application's side ----

  /** Bytes that {@link #write} would take. */
  public int sendSpace() {
    return sender.space();
  }

  /**
   * Takes bytes for sending and returns how many; if not all, {@link Application#sendSpace} will
   * follow.
   */
  public int write(byte[] data, int offset, int length) {
    return sender.write(data, offset, length);
  }

  /**
   * Takes bytes for sending from a channel.
   *
   * @return bytes read; 0 if none are there or there is no room; -1 at the end
   */
  public int writeFrom(ReadableByteChannel channel, int most) throws IOException {
    return sender.writeFrom(channel, most);
  }

  /** Nothing more will be sent. */
  public void closeOutput() {
    if (sender.close()) {
      machine.outputClosed();
    }
  }

  /** The application has room again. */
  public void drain() {
    if (receiver.drain()) {
      machine.considerEndOfStream();
    }
  }

  /** The application is gone: the peer has a limited time to close its direction. */
  public void orphan(long now) {
    machine.orphan(now);
  }

  /** Resets the connection. */
  public void abort() {
    machine.abort();
  }

  /**
   * The peer has moved to another place, and what was on its way to the old one may be gone: sends
   * everything that is unacknowledged again at once, and an acknowledgment, and repeats that soon
   * if nothing comes back.
   */
  public void kick(long now) {
    if (!machine.isSending()) {
      return;
    }
    sender.kick(now);
    if (machine.state() != State.SYN_SENT) {
      receiver.acknowledgeSoon();
    }
    flush(now);
  }

  // ---- segments ----

  /** Takes in a segment of this connection. */
  public void onSegment(TcpSegment s, long now) {
    machine.onSegment(s, now);
  }

  /**
   * True if a SYN may start a new connection in place of this one (RFC 9293 §3.10.7.4, RFC 6191).
   */
  public boolean isReplaceableBy(TcpSegment syn) {
    return machine.isReplaceableBy(syn);
  }

  // ---- sending ----

  /** Sends what may be sent now. */
  public void flush(long now) {
    if (machine.isSilent()) {
      return;
    }
    boolean sent = machine.isSending() && sender.send(now);
    if (machine.isSilent()) {
      return;
    }
    if (sender.isOpen() && receiver.owesAcknowledgment(sent)) {
      writer.acknowledgment(sender.sent());
    }
    if (machine.state() != State.SYN_SENT) {
      receiver.settle();
    }
    sender.settle(now);
  }

  // ---- time ----

  /** When {@link #onTimer} is to be called, or {@link Long#MAX_VALUE}. */
  public long deadline() {
    if (machine.state() == State.CLOSED) {
      return NEVER;
    }
    return Math.min(
        Math.min(receiver.deadline(), sender.deadline()),
        Math.min(machine.deadline(), keepAlive.deadline()));
  }

  /** Does what is due, and flushes. */
  public void onTimer(long now) {
    if (machine.state() == State.CLOSED) {
      return;
    }
    if (machine.deadline() <= now) {
      machine.lingerOver(now);
      return;
    }
    receiver.onTimer(now);
    if (!sender.onTimer(now) || keepAlive.deadline() <= now && !keepAlive(now)) {
      machine.timedOut();
      return;
    }
    flush(now);
  }

  /** Returns false if the peer is to be given up. */
  private boolean keepAlive(long now) {
    if (!sender.isIdle()) {
      keepAlive.postpone(now);
      return true;
    }
    if (!keepAlive.probe(now)) {
      return false;
    }
    sender.probe();
    return true;
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
    return machine.state()
        + " una="
        + sender.unacknowledged()
        + " sent="
        + sender.sent()
        + " next="
        + receiver.next();
  }
}
