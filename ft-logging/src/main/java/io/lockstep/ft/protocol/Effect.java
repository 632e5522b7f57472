package io.lockstep.ft.protocol;

/** What a replica shall do. The driver carries effects out in order. */
public sealed interface Effect {
  /** Send a message; if the connection is gone, drop it. */
  record Send(long conn, Message message) implements Effect {}

  /** End a connection after what was sent on it. */
  record Close(long conn) implements Effect {}

  /**
   * Try once to connect to the other side; answered by {@link Event.Connected} or {@link
   * Event.ConnectFailed}.
   */
  record Connect() implements Effect {}

  /** Test-and-set an epoch; answered by {@link Event.ClaimAnswered}. */
  record Claim(Epoch epoch, ClaimKind kind) implements Effect {}

  /**
   * Answer {@link Message.Hello} with {@link Message.Welcome} and start to copy memory: round 0,
   * all pages. Answered by {@link Event.RoundCopied}.
   */
  record BeginCopy(long conn, long attachId, Epoch epoch) implements Effect {}

  /** Copy what became dirty. Answered by {@link Event.RoundCopied}. */
  record CopyRound(long attachId, int round) implements Effect {}

  /**
   * Stop the vCPU, send the rest and the state, start the log, go on. Answered by {@link
   * Event.FinalDone}, and later by {@link Event.DiskDurable}.
   */
  record FinalStop(long attachId) implements Effect {}

  /** Forget the attach: its copy and its log. */
  record EndAttach(long attachId) implements Effect {}

  /**
   * Send the log entries {@code from} to {@code to} (exclusive) and on as one or more {@link
   * Message.LogBatch}.
   */
  record StreamLog(long conn, long attachId, long from, long to, long releasedNext)
      implements Effect {}

  /** All entries before {@code next} are acknowledged; they need not be kept for sending. */
  record ForgetLog(long next) implements Effect {}

  /**
   * Hold outputs from now on. Between two steps, on the vCPU thread. Answered by {@link
   * Event.Holding}.
   */
  record BeginHold() implements Effect {}

  /** Let all held outputs go whose marks lie before {@code next}. */
  record Release(long next) implements Effect {}

  /**
   * This side owns {@code epoch} and runs alone: let all held outputs go, and hold none from now
   * on. Layer and port that are open stay in use.
   */
  record Unprotect(Epoch epoch) implements Effect {}

  /** Slow the vCPU: {@code fraction} of the time, 0 to 1, it stands still. */
  record Throttle(double fraction) implements Effect {}

  /**
   * Bring the vCPU to a stand, append an entry with the point at which it stands (so that the
   * secondary comes to stand there, too), and make all completed disk writes stable. Answered by
   * {@link Event.Quiesced}.
   */
  record Quiesce() implements Effect {}

  /** Let the vCPU go on after {@link Quiesce}. */
  record Resume() implements Effect {}

  /** Make an empty machine as {@link Message.Welcome} says. */
  record Prepare(Message.Welcome welcome) implements Effect {}

  /** Write the pages into the machine that is being made. */
  record ApplyPages(Message.Pages pages) implements Effect {}

  /** Load the state, compare the digest. Answered by {@link Event.StateLoaded}. */
  record Load(Message.Final state) implements Effect {}

  /**
   * Append to memory and log file. Answered by {@link Event.Stored} or {@link Event.StoreFailed}
   * before anything else is received.
   */
  record Append(Message.LogBatch batch) implements Effect {}

  /**
   * Keep for re-issue only outputs with marks from {@code releasedNext} and disk writes completed
   * from {@code durableNext} on.
   */
  record Trim(long releasedNext, long durableNext) implements Effect {}

  /**
   * The log ends at {@code next}: replay all of it, and run to the point of its last entry.
   * Answered by {@link Event.Replayed}, also if it has been replayed before.
   */
  record ReplayToEnd(long next) implements Effect {}

  /**
   * Become the primary: open disk and network under {@code epoch}, re-issue, announce, run.
   * Answered by {@link Event.WentLive} or {@link Event.GoLiveFailed}.
   *
   * @param attachId with a switch-over: the attach under which the old primary follows, outputs are
   *     held from the start; otherwise 0
   */
  record GoLive(Epoch epoch, long attachId, long logNext) implements Effect {}

  /**
   * The quiesced primary becomes a secondary: its machine replays the log from {@code logNext} on.
   */
  record Follow(Epoch epoch, long attachId, long logNext) implements Effect {}

  /** Stop for good. No effect follows. */
  record End(Ending ending, String why) implements Effect {}

  /** Tell the operator. */
  record Notice(String text) implements Effect {}
}
