package io.lockstep.ft.protocol;

/** Why a replica stopped for good. */
public enum Ending {
  /** Another replica owns a newer epoch. */
  FENCED,
  /** The primary went on without this secondary; a new one may join. */
  DROPPED,
  /** The other side refused, or the attach failed; a new attempt may join. */
  NOT_ATTACHED,
  /** This replica's machine differs from the primary's, or its log is damaged. */
  DIVERGED,
  /** The log could not be stored here. */
  STORE_FAILED,
  /** The machine could not be started with real I/O. */
  GO_LIVE_FAILED,
  /** The guest has powered off. */
  GUEST_HALTED,
  /** The operator asked for it. */
  OPERATOR
}
