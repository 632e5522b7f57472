package io.lockstep.ft.sim;

/** Bugs that can be planted, to prove that the simulator finds them. */
enum Flaw {
  NONE,
  /** The primary lets outputs go at once. */
  OUTPUT_BEFORE_ACK,
  /** The secondary acknowledges entries that it has yet to store. */
  ACK_BEFORE_APPEND,
  /** The disk takes writes of whoever comes. */
  DISK_IGNORES_EPOCH,
  /** The switch takes frames of whoever comes. */
  SWITCH_IGNORES_EPOCH,
  /** Requests in flight are not issued again by the survivor. */
  IN_FLIGHT_NOT_REISSUED,
  /** Completed but unflushed writes are not written again by the survivor. */
  UNSTABLE_NOT_REWRITTEN,
  /** The last round of an attach forgets a page, and nobody compares digests. */
  DIRTY_PAGE_MISSED,
  /** The survivor's clock starts at what its host shows. */
  CLOCK_BACKWARDS,
  /** A secondary goes live without asking the storage. */
  TAKEOVER_WITHOUT_CLAIM,
  /** A primary goes on alone without asking the storage. */
  ALONE_WITHOUT_CLAIM,
  /** The storage's test-and-set isn't one. */
  CLAIM_NOT_ATOMIC,
  /** A secondary may take over as soon as it is loaded. */
  ELIGIBLE_TOO_EARLY,
  /** The survivor goes live before it has replayed everything. */
  LOG_NOT_DRAINED,
  /** The survivor applies the last input, but does not run to the output mark behind it. */
  MARK_NOT_REACHED,
  /** Outputs are held later than the primary tells the secondary. */
  HOLD_BEGINS_LATE,
  /** A completed disk write is logged when it is submitted. */
  COMPLETION_BEFORE_WRITE,
  /**
   * After a reconnect the log goes on where the old connection had got to, and the secondary
   * doesn't look.
   */
  GAP_AFTER_RESUME,
  /** A divergence is seen and ignored. */
  DIVERGENCE_IGNORED
}
