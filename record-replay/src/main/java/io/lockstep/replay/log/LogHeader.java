package io.lockstep.replay.log;

/**
 * The first frame of every log stream.
 *
 * @param firstLsn lsn of the first entry, 0 or more
 * @param startPoint execution point at which the log begins, 0 or more
 * @param runId names the run; it enters the checksum chain, so that pieces of two runs cannot be
 *     mixed
 */
public record LogHeader(long firstLsn, long startPoint, long runId) {
  /** The version of the format that this program writes, and the only one that it reads. */
  public static final int VERSION = 1;

  /** Checks. */
  public LogHeader {
    if (firstLsn < 0 || startPoint < 0) {
      throw new IllegalArgumentException(
          "a log cannot start at lsn " + firstLsn + ", point " + startPoint);
    }
  }
}
