package io.lockstep.ft.protocol;

/** What happens to a replica. */
public sealed interface Event {

  /** From the link. Connections are numbered by the driver and never reused. */
  sealed interface Link extends Event {}

  /** From the shared storage. */
  sealed interface Storage extends Event {}

  /** From the machine and the log of a primary. */
  sealed interface PrimaryLocal extends Event {}

  /** From the machine and the log of a secondary. */
  sealed interface SecondaryLocal extends Event {}

  /** From the operator. */
  sealed interface Operator extends Event {}

  /** Time has passed. Delivered at least every quarter of {@link Timing#grace}, more or less. */
  record Tick() implements Event {}

  /**
   * The connection asked for by {@link Effect.Connect} stands. A primary is not told of
   * connections, only of what is received on them.
   */
  record Connected(long conn) implements Link {}

  /**
   * The connection asked for could not be made.
   *
   * @param refused the host is there and nobody listens: the process is gone
   */
  record ConnectFailed(boolean refused) implements Link {}

  /** A connection ended. */
  record LinkDown(long conn) implements Link {}

  /** A message arrived. */
  record Received(long conn, Message message) implements Link {}

  /** The answer to {@link Effect.Claim}. */
  record ClaimAnswered(Epoch epoch, ClaimResult result) implements Storage {}

  /** Somebody (the storage, the switch) showed this to be the newest epoch. */
  record EpochSeen(Epoch epoch, ReplicaId owner, ClaimKind kind) implements Storage {}

  /** A round of memory copy was handed to the link; {@code dirtyPages} have been written since. */
  record RoundCopied(long attachId, int round, int dirtyPages) implements PrimaryLocal {}

  /**
   * The final stop is over, {@link Message.Final} was sent on the attach's connection and the log
   * begins at {@code startLsn}.
   */
  record FinalDone(long attachId, long startLsn) implements PrimaryLocal {}

  /** The log has grown: {@code next} is its end. */
  record LogGrew(long next) implements PrimaryLocal {}

  /** Outputs are held since this lsn: all marks of outputs that left before are below it. */
  record Holding(long fromLsn) implements PrimaryLocal {}

  /** All disk writes completed before {@code next} are stable on the shared storage. */
  record DiskDurable(long next) implements PrimaryLocal {}

  /** The vCPU stands still, completed disk writes are stable, the log ends at {@code next}. */
  record Quiesced(long next) implements PrimaryLocal {}

  /**
   * The machine of {@link Message.Final} is ready, {@code trouble} is empty; or it isn't and {@code
   * trouble} says why.
   */
  record StateLoaded(long attachId, String trouble) implements SecondaryLocal {}

  /**
   * All entries before {@code next} are in memory and in the log file; those before {@code
   * replayedNext} have been applied by now.
   */
  record Stored(long attachId, long next, long replayedNext) implements SecondaryLocal {}

  /** The log file cannot be written. */
  record StoreFailed(String why) implements SecondaryLocal {}

  /**
   * All entries before {@code next} have been applied. Told at once when {@link Effect.ReplayToEnd}
   * has asked for it, and otherwise some time later, because it is nothing that anybody waits for.
   */
  record Replayed(long attachId, long next) implements SecondaryLocal {}

  /** This replica's machine is not the primary's, or the log it got is damaged. */
  record Diverged(String why) implements SecondaryLocal {}

  /** {@link Effect.GoLive} is done. */
  record WentLive() implements SecondaryLocal {}

  /** {@link Effect.GoLive} could not be done. */
  record GoLiveFailed(String why) implements SecondaryLocal {}

  /** Exchange the roles. */
  record SwitchOverAsked() implements Operator {}

  /** Go on without the secondary. */
  record DetachAsked() implements Operator {}

  /**
   * Stop this replica: the guest has halted, or the operator wants it. All outputs that could be
   * released have been.
   */
  record Finished(Ending ending, String why) implements Operator {}
}
