package io.lockstep.host.net.tcp;

/**
 * The numbers of a connection. Times are in nanoseconds, sizes in bytes.
 *
 * <p>The defaults are for a private network whose round trip is well under a millisecond and whose
 * other end may be a guest that pauses: retransmission never waits long, and nobody gives up soon.
 *
 * @param mss largest payload that the peer may send in a segment
 * @param burst segments of the peer's size that may leave as one; 1 without segmentation offload
 * @param sendBuffer most bytes kept for sending
 * @param receiveBuffer most bytes kept for the application, and the largest window
 * @param initialRto retransmission timeout before the first measurement
 * @param minRto least timeout; above the delayed acknowledgment of common stacks (40 ms)
 * @param maxRto where backing off ends
 * @param delayedAck longest time an acknowledgment waits for data to ride on
 * @param connectTimeout time after which an unanswered SYN is given up
 * @param userTimeout time without progress after which an established connection is given up
 * @param orphanTimeout time for the peer to close, when the application is gone
 * @param timeWait length of TIME_WAIT
 * @param keepAlive idle time after which the peer is probed
 * @param keepAliveInterval time between unanswered probes; after nine the connection is given up
 */
public record TcpConfig(
    int mss,
    int burst,
    int sendBuffer,
    int receiveBuffer,
    long initialRto,
    long minRto,
    long maxRto,
    long delayedAck,
    long connectTimeout,
    long userTimeout,
    long orphanTimeout,
    long timeWait,
    long keepAlive,
    long keepAliveInterval) {

  private static final long MS = 1_000_000L;
  private static final long SECOND = 1_000 * MS;

  public static final TcpConfig DEFAULT =
      new TcpConfig(
          1460,
          44,
          256 << 10,
          256 << 10,
          200 * MS,
          100 * MS,
          200 * MS,
          2 * MS,
          60 * SECOND,
          900 * SECOND,
          60 * SECOND,
          10 * SECOND,
          7200 * SECOND,
          75 * SECOND);

  /** The same with other buffers. */
  public TcpConfig withBuffers(int send, int receive) {
    return new TcpConfig(
        mss,
        burst,
        send,
        receive,
        initialRto,
        minRto,
        maxRto,
        delayedAck,
        connectTimeout,
        userTimeout,
        orphanTimeout,
        timeWait,
        keepAlive,
        keepAliveInterval);
  }

  /** The same with another largest burst. */
  public TcpConfig withBurst(int segments) {
    return new TcpConfig(
        mss,
        segments,
        sendBuffer,
        receiveBuffer,
        initialRto,
        minRto,
        maxRto,
        delayedAck,
        connectTimeout,
        userTimeout,
        orphanTimeout,
        timeWait,
        keepAlive,
        keepAliveInterval);
  }
}
