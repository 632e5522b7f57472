package io.lockstep.ft.protocol;

/** What a replica is at the moment. The diagram is in {@code docs/pair-protocol.md}. */
public sealed interface Role {

  /** Roles that do real I/O, or did until a moment ago. */
  sealed interface Primary extends Role {
    /** The epoch that this side owns. */
    Epoch epoch();
  }

  /** Roles that do no real I/O. */
  sealed interface Secondary extends Role {}

  /** A virtual machine is about to start: its first epoch is being claimed. */
  record Starting(Epoch claimed, long retryAt) implements Role {}

  /** Runs unprotected. {@code attaches} counts the attaches of this epoch. */
  record Solo(Epoch epoch, int attaches) implements Primary {}

  /**
   * Memory is being copied. Still unprotected.
   *
   * @param attached whether the secondary is ready: it may be so before this side has heard of its
   *     own final stop
   */
  record Copying(Epoch epoch, int attaches, Peer peer, boolean finalAsked, boolean attached)
      implements Primary {}

  /** The log is being sent, but outputs are not held yet. Still unprotected. */
  record CatchingUp(
      Epoch epoch,
      int attaches,
      Peer peer,
      Window window,
      long startLsn,
      boolean attached,
      boolean holdAsked)
      implements Primary {}

  /**
   * Outputs are held for acks.
   *
   * @param verifyBeat nothing is released before the secondary has seen this heartbeat (0: nothing
   *     to wait for)
   */
  record Protected(Epoch epoch, int attaches, Peer peer, Window window, long verifyBeat)
      implements Primary {}

  /**
   * Wants to go on without its secondary: the next epoch is being claimed, nothing is released.
   *
   * @param finalNext with a switch-over that was under way: where this side stands still, otherwise
   *     -1
   * @param retryAt when to ask again; {@link Long#MAX_VALUE} while an answer is awaited
   */
  record ClaimingAlone(
      Epoch epoch,
      int attaches,
      Peer peer,
      Window window,
      String why,
      long finalNext,
      boolean quiesced,
      long retryAt)
      implements Primary {}

  /**
   * Planned switch-over: the vCPU is brought to a stand ({@code finalNext} is -1), then the
   * secondary is waited for.
   *
   * @param offered whether {@link Message.SwitchOver} was sent
   */
  record HandingOver(
      Epoch epoch,
      int attaches,
      Peer peer,
      Window window,
      long finalNext,
      boolean offered,
      long deadline)
      implements Primary {}

  /** Looks for a primary. {@code conn} is 0 until one answers. */
  record Joining(long conn, long retryAt, long lastHeard) implements Secondary {}

  /** Receives memory. */
  record Receiving(Epoch epoch, long conn, ReplicaId primary, long attachId, long lastHeard)
      implements Secondary {}

  /**
   * Stores and replays the log.
   *
   * @param conn the connection, 0 while it is down
   * @param loaded whether the machine is ready
   * @param eligible whether this side may claim the next epoch: it holds everything that the world
   *     has seen
   * @param eligibleFrom when {@code storedNext} gets there, {@code eligible} becomes true; -1 as
   *     long as the primary hasn't said
   * @param switchAt where the primary stands still for a switch-over, or -1
   * @param retryAt while the connection is down: when to try again
   */
  record Following(
      Epoch epoch,
      long conn,
      ReplicaId primary,
      long attachId,
      long storedNext,
      long replayedNext,
      boolean loaded,
      boolean eligible,
      long eligibleFrom,
      long switchAt,
      long beat,
      long lastHeard,
      long ackedAt,
      long retryAt)
      implements Secondary {}

  /**
   * Wants to become the primary: the epoch after {@code epoch} is being claimed. Accepts nothing
   * from the old primary.
   */
  record ClaimingTakeover(
      Epoch epoch,
      ClaimKind kind,
      long conn,
      ReplicaId primary,
      long storedNext,
      long replayedNext,
      long retryAt)
      implements Secondary {}

  /** Has won {@code epoch}; replays to the end, then opens the real I/O. */
  record GoingLive(
      Epoch epoch,
      ClaimKind kind,
      long conn,
      ReplicaId primary,
      long storedNext,
      long replayedNext,
      boolean asked,
      long logEnd)
      implements Secondary {}

  /** Does nothing any more, ever. */
  record Stopped(Ending ending, String why) implements Role {}
}
