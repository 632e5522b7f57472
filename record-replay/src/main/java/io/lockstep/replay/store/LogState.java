package io.lockstep.replay.store;

import io.lockstep.replay.log.LogDamage;

/**
 * How reading a log ended.
 *
 * @param logCase which case it is
 * @param nextLsn lsn behind the last sound entry
 * @param lastPoint execution point of the last sound entry
 * @param soundBytes bytes of the stream up to there
 * @param lostBytes bytes behind it that could not be read as entries
 * @param damage what is wrong, null if bytes are only missing
 */
public record LogState(
    LogCase logCase,
    long nextLsn,
    long lastPoint,
    long soundBytes,
    long lostBytes,
    LogDamage damage) {

  /** One sentence that says what was lost. */
  @Override
  public String toString() {
    StringBuilder out = new StringBuilder(logCase.sentence());
    if (logCase.lossy()) {
      out.append(
          "; the last good entry is lsn %d at execution point %d"
              .formatted(nextLsn - 1, lastPoint));
      if (lostBytes > 0) {
        out.append(", %d bytes behind it are lost".formatted(lostBytes));
      }
    }
    if (damage != null) {
      out.append(" (").append(damage.detail()).append(')');
    }
    return out.toString();
  }
}
