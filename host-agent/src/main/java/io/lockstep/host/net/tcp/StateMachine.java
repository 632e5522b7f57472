package io.lockstep.host.net.tcp;

import io.lockstep.host.net.tcp.TcpConnection.Application;
import io.lockstep.host.net.tcp.TcpConnection.End;
import io.lockstep.host.net.tcp.TcpConnection.State;

/**
 * What a segment means in which state (RFC 9293 §3.10), from the handshake to the last
 * acknowledgment. What there is to send because of it is left to the next flush, but for resets.
 *
 * <p>The application is told of the end once, when both directions have given back their buffers.
 * In {@code CLOSED} that has happened, and nothing happens any more.
 */
final class StateMachine {
  private final TcpConfig config;
  private final Application application;
  private final Receiver receiver;
  private final Sender sender;
  private final SegmentWriter writer;
  private final KeepAlive keepAlive;

  private State state;
  private boolean held;
  private boolean ended;
  private long lingerAt = Long.MAX_VALUE;

  /** A connection that is opened actively. */
  StateMachine(
      TcpConfig config,
      Application application,
      Receiver receiver,
      Sender sender,
      SegmentWriter writer,
      KeepAlive keepAlive) {
    this.config = config;
    this.application = application;
    this.receiver = receiver;
    this.sender = sender;
    this.writer = writer;
    this.keepAlive = keepAlive;
    this.state = State.SYN_SENT;
  }

  /** Makes it one that is opened passively, and answers nothing before {@link #accept}. */
  void openPassively(TcpSegment syn) {
    state = State.SYN_RECEIVED;
    held = true;
    takeSyn(syn);
  }

  void accept() {
    held = false;
  }

  State state() {
    return state;
  }

  boolean isEnded() {
    return ended;
  }

  /** True if nothing may be sent: not yet, or no more. */
  boolean isSilent() {
    return held || state == State.CLOSED;
  }

  /** True if bytes of the stream may still be sent. */
  boolean isSending() {
    return !isSilent() && state != State.TIME_WAIT;
  }

  // ---- the application's side ----

  /** The application has put an end to what it sends. */
  void outputClosed() {
    if (state == State.ESTABLISHED) {
      state = State.FIN_WAIT_1;
    } else if (state == State.CLOSE_WAIT) {
      state = State.LAST_ACK;
    }
  }

  /** Tells the application that the stream is at its end, when it has taken all of it. */
  void considerEndOfStream() {
    if (receiver.takeEnd()) {
      application.endOfStream();
      if (state == State.TIME_WAIT) {
        end(End.FINISHED);
      } else if (state == State.LAST_ACK && sender.isFinAcknowledged()) {
        finishLastAck();
      }
    }
  }

  void orphan(long now) {
    lingerAt = Math.min(lingerAt, now + config.orphanTimeout());
  }

  void abort() {
    if (state == State.CLOSED || state == State.TIME_WAIT) {
      return;
    }
    if (held) {
      writer.reject(TcpSegment.ACK, 0, receiver.nextSequence());
    } else if (state != State.SYN_SENT) {
      writer.reset(sender.sent());
    }
    close(End.ABORTED);
  }

  /** The peer has been silent for too long. */
  void timedOut() {
    close(End.TIMED_OUT);
  }

  // ---- segments ----

  void onSegment(TcpSegment s, long now) {
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

  boolean isReplaceableBy(TcpSegment syn) {
    return state == State.CLOSED
        || state == State.TIME_WAIT && syn.sequence - receiver.nextSequence() > 0;
  }

  private void onSynSent(TcpSegment s, long now) {
    boolean acceptableAck =
        s.has(TcpSegment.ACK) && sender.sent() >= 1 && sender.position(s.acknowledgment) == 1;
    if (s.has(TcpSegment.ACK) && !acceptableAck) {
      if (!s.has(TcpSegment.RST)) {
        writer.reject(0, s.acknowledgment, 0);
      }
      return;
    }
    if (s.has(TcpSegment.RST)) {
      if (acceptableAck) {
        close(End.RESET);
      }
      return;
    }
    if (!s.has(TcpSegment.SYN)) {
      return;
    }
    takeSyn(s);
    if (acceptableAck) {
      sender.synAcknowledged(now);
      becomeEstablished(now);
      receiver.acknowledgeSoon();
    } else {
      state = State.SYN_RECEIVED;
      sender.loseAll();
    }
  }

  private void takeSyn(TcpSegment s) {
    PeerOptions peer = PeerOptions.of(s, config);
    sender.start(peer, s.window);
    receiver.start(peer);
  }

  private void becomeEstablished(long now) {
    state = sender.isClosed() ? State.FIN_WAIT_1 : State.ESTABLISHED;
    keepAlive.heard(now);
    application.established();
  }

  private void onSynchronized(TcpSegment s, long now) {
    long position = receiver.position(s.sequence);
    if (s.has(TcpSegment.RST)) {
      onReset(position);
      return;
    }
    if (held) {
      return;
    }
    if (s.has(TcpSegment.SYN)) {
      // A repeated SYN while our answer is on its way, or nonsense (RFC 5961 §4).
      if (state == State.SYN_RECEIVED && position == 0) {
        sender.loseSyn();
      } else {
        receiver.acknowledgeSoon();
      }
      return;
    }
    if (!s.has(TcpSegment.ACK)) {
      return;
    }
    boolean acceptable =
        receiver.isAcceptable(position, s.length + (s.has(TcpSegment.FIN) ? 1 : 0));
    if (!acceptable) {
      receiver.acknowledgeSoon();
      if (position != receiver.next()) {
        return;
      }
    }
    keepAlive.heard(now);
    if (!onAcknowledgment(s, position, now) || state == State.CLOSED) {
      return;
    }
    if (acceptable && state != State.SYN_RECEIVED) {
      onText(s, position, now);
    }
  }

  private void onReset(long position) {
    if (position == receiver.next()) {
      close(End.RESET);
    } else if (receiver.isAhead(position)) {
      receiver.acknowledgeSoon();
    }
  }

  /** Returns false if the segment is to be dropped. */
  private boolean onAcknowledgment(TcpSegment s, long position, long now) {
    long ack = sender.position(s.acknowledgment);
    if (ack > sender.sent()) {
      receiver.acknowledgeSoon();
      return false;
    }
    if (state == State.SYN_RECEIVED) {
      if (ack < 1) {
        return false;
      }
      sender.synAcknowledged(now);
      sender.takeWindow(s, position, ack);
      becomeEstablished(now);
    }
    if (ack >= sender.unacknowledged() && sender.takeAcknowledgment(s, position, ack, now)) {
      onFinAcknowledged(now);
    }
    return true;
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
    if (receiver.waiting() == 0) {
      close(End.FINISHED);
    }
  }

  private void onText(TcpSegment s, long position, long now) {
    if (s.length > 0) {
      receiver.takeData(s, position, now);
    }
    if (s.has(TcpSegment.FIN)) {
      receiver.noteFin(position + s.length);
    }
    if (receiver.takeFin()) {
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

  // ---- the end ----

  /** When {@link #lingerOver} is to be called. */
  long deadline() {
    return lingerAt;
  }

  /** TIME_WAIT is over, or the time that the peer of an orphan had. */
  void lingerOver(long now) {
    if (state != State.TIME_WAIT) {
      writer.reset(sender.sent());
      close(End.TIMED_OUT);
    } else if (receiver.waiting() > 0) {
      lingerAt = now + config.timeWait();
    } else {
      close(End.FINISHED);
    }
  }

  private void enterTimeWait(long now) {
    state = State.TIME_WAIT;
    lingerAt = now + config.timeWait();
    sender.stop();
    keepAlive.stop();
    if (receiver.isAtEnd()) {
      end(End.FINISHED);
    }
  }

  private void close(End end) {
    end(end);
    state = State.CLOSED;
  }

  private void end(End end) {
    if (!ended) {
      ended = true;
      sender.stop();
      receiver.stop();
      application.ended(end);
    }
  }
}
