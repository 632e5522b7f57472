package io.lockstep.ft.protocol;

/**
 * What an epoch was claimed for. It stands beside the owner on the shared storage, because the
 * loser has to know.
 */
public enum ClaimKind {
  /** A virtual machine started. */
  START,
  /** A replica of a pair wants to run alone. */
  ALONE,
  /** The secondary takes the primary's place in a planned switch-over; the old primary follows. */
  SWITCH_OVER
}
