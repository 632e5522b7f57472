package io.lockstep.ft.transport;

import io.lockstep.ft.protocol.Message;

/** Told of what happens on the connections of a {@link PairTransport}, always on its one thread. */
public interface LinkListener {
  /** The connection that was asked for stands. */
  void connected(long conn);

  /**
   * The connection that was asked for could not be made.
   *
   * @param refused whether the host answered that nobody listens
   */
  void connectFailed(boolean refused);

  /**
   * The other side of a connection is not trusted, or does not trust us. Said once for each
   * connection, beside {@link #connectFailed} or {@link #down}.
   *
   * @param sentence for the operator
   */
  default void untrusted(String sentence) {}

  /** A message arrived. */
  void received(long conn, Message message);

  /** The connection has ended. Not called for connections that never stood. */
  void down(long conn);
}
