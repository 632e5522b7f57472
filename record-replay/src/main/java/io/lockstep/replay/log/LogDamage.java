package io.lockstep.replay.log;

/**
 * Bytes that are not the log that was written.
 *
 * @param kind what is wrong
 * @param lsn the entry that could not be read
 * @param offset bytes from the start of the stream to the frame that is damaged
 * @param detail what was found, a clause for a person
 */
public record LogDamage(Kind kind, long lsn, long offset, String detail) {
  /** What is wrong. */
  public enum Kind {
    /** The first frame is not a log's header. */
    NOT_A_LOG,
    /** A log, but of another format version. */
    WRONG_VERSION,
    /** A frame claims an impossible type or length. */
    BAD_FRAME,
    /**
     * The frame's checksum does not match: its bytes changed, or a frame is missing or out of
     * order.
     */
    BAD_CHECKSUM,
    /**
     * The checksum matches, but the content makes no sense: written by a faulty or foreign program.
     */
    BAD_CONTENT
  }

  /** One clause, with place. */
  @Override
  public String toString() {
    return "%s at lsn %d (byte %d of the log): %s".formatted(kind, lsn, offset, detail);
  }
}
