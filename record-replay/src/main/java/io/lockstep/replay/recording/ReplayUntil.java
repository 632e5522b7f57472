package io.lockstep.replay.recording;

/** How far a replay goes. */
public sealed interface ReplayUntil {
  /** To the end of the log. */
  record End() implements ReplayUntil {}

  /** To exactly this execution point. */
  record Point(long point) implements ReplayUntil {}

  /** Up to and including the entry of this lsn. */
  record LsnBound(long lsn) implements ReplayUntil {}

  /** To the first entry at which the guest's clock shows this tick or more. */
  record Time(long ticks) implements ReplayUntil {}
}
