package io.lockstep.replay.log;

/** What {@link LogDecoder#next} found. */
public sealed interface DecodeResult {
  /** The only {@link NeedMore}. */
  NeedMore NEED_MORE = new NeedMore();

  /**
   * An entry.
   *
   * @param lsn its log sequence number
   * @param entry the entry
   * @param bytes the length of its frame
   */
  record Decoded(long lsn, LogEntry entry, int bytes) implements DecodeResult {}

  /** The header, always the first result of a sound stream. */
  record Header(LogHeader header) implements DecodeResult {}

  /** The bytes so far end within a frame, or exactly after one. */
  record NeedMore() implements DecodeResult {}

  /** The stream is damaged here; no further result will come. */
  record Damaged(LogDamage damage) implements DecodeResult {}
}
