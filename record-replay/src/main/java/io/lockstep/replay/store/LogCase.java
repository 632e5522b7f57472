package io.lockstep.replay.store;

/**
 * The cases in which a log can be found when it is opened, and what is done in each. In every case
 * all entries before the trouble can be replayed, and nothing after it ever is.
 */
public enum LogCase {
  /** The last entry is an end entry. All is there. */
  COMPLETE("the log is complete"),
  /**
   * The bytes end behind a whole entry that is not an end entry: the writer was killed, or still
   * writes.
   */
  NO_END("the log has no end entry: its writer was killed or is still running"),
  /** The bytes end within an entry: a write was torn, or the file was cut. The piece is cut off. */
  TORN_TAIL("the last entry was not written completely and is cut off"),
  /** The last entry's bytes changed, and nothing sound follows. Cut off like a torn one. */
  DAMAGED_TAIL("the end of the log is damaged and is cut off"),
  /**
   * Sound entries follow on damaged ones. They are not replayed, because what came between is
   * unknown.
   */
  DAMAGED_INSIDE("the log is damaged, and what follows the damage cannot be replayed"),
  /** Bytes follow the end entry. They are not read. */
  DATA_AFTER_END("there is data behind the end of the log, which is ignored"),
  /** A file in the middle of the sequence is not there. */
  MISSING_FILE("a file of the log is missing, and what follows it cannot be replayed"),
  /** There is no entry and no header: nothing can be replayed from this log. */
  EMPTY("the log is empty"),
  /** The first bytes are not a log's. */
  NOT_A_LOG("this is not a log"),
  /** Another version of the format. */
  WRONG_VERSION("the log has another format version");

  private final String sentence;

  LogCase(String sentence) {
    this.sentence = sentence;
  }

  /** What to tell a user, without a full stop. */
  public String sentence() {
    return sentence;
  }

  /** Whether entries may have been lost. */
  public boolean lossy() {
    return this != COMPLETE;
  }
}
