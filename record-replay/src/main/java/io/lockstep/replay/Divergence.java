package io.lockstep.replay;

/**
 * Where a replay was seen to differ from the recording. The first different step lies at or before
 * this.
 *
 * @param kind what differs
 * @param lsn the entry that could not be applied or is contradicted
 * @param point that entry's execution point
 * @param machinePoint where the machine stands
 * @param expected what the log says
 * @param found what the machine does
 */
public record Divergence(
    Kind kind, long lsn, long point, long machinePoint, String expected, String found) {
  /** What differs. */
  public enum Kind {
    /** The machine's digest. */
    DIGEST,
    /** The machine waits for an input where the recorded one ran on. */
    IDLE,
    /** The machine is off and the recorded one was on, or the other way round. */
    POWER,
    /** The machine has run past the entry's point. */
    ORDER
  }

  /** One sentence. */
  @Override
  public String toString() {
    return "the machine differs from its log at lsn %d, execution point %d: expected %s, found %s (machine at %d)"
        .formatted(lsn, point, expected, found, machinePoint);
  }
}
