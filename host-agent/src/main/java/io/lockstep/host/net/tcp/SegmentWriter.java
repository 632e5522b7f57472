package io.lockstep.host.net.tcp;

/**
 * Hands a connection's segments to its output. Every segment that acknowledges something says the
 * newest that the receiver knows, and the receiver learns what the peer was told.
 */
final class SegmentWriter {
  private static final int WINDOW_FIELD_MAX = 65_535;

  private final TcpConnection connection;
  private final TcpConnection.Output output;
  private final SequenceNumbers sequences;
  private final Receiver receiver;
  private final TcpSegment segment = new TcpSegment();

  SegmentWriter(
      TcpConnection connection,
      TcpConnection.Output output,
      SequenceNumbers sequences,
      Receiver receiver) {
    this.connection = connection;
    this.output = output;
    this.sequences = sequences;
    this.receiver = receiver;
  }

  boolean congested() {
    return output.congested(connection);
  }

  /** A segment to fill, with an array for its payload; {@link #send} is to follow. */
  TcpSegment begin() {
    segment.clear();
    segment.data = output.payloadArray();
    segment.offset = output.payloadOffset();
    return segment;
  }

  /** Sends what was begun. */
  void send(long position) {
    segment.sequence = sequences.of(position);
    if (segment.has(TcpSegment.ACK)) {
      receiver.acknowledge(segment);
    }
    segment.window =
        (int) Math.min(WINDOW_FIELD_MAX, receiver.windowField(segment.has(TcpSegment.SYN)));
    output.transmit(connection, segment);
  }

  /** Sends a segment without payload and options. */
  void bare(int flags, long position) {
    segment.clear();
    segment.flags = flags;
    send(position);
  }

  /** Sends an acknowledgment that says what is missing, too. */
  void acknowledgment(long position) {
    segment.clear();
    segment.flags = TcpSegment.ACK;
    receiver.describeGaps(segment);
    send(position);
  }

  /** Sends a reset that the peer believes. */
  void reset(long position) {
    bare(TcpSegment.RST | TcpSegment.ACK, position);
  }

  /** Sends a reset from outside the stream, which promises the peer nothing. */
  void reject(int flags, int sequence, int acknowledgment) {
    segment.clear();
    segment.flags = TcpSegment.RST | flags;
    segment.sequence = sequence;
    segment.acknowledgment = acknowledgment;
    segment.window = 0;
    output.transmit(connection, segment);
  }
}
