package io.lockstep.ft.storage;

/** Shared storage refuses or fails. The message is one sentence that says what to do. */
public final class StorageException extends Exception {
  /** What a caller may have to tell apart. */
  public enum Kind {
    /** It belongs to another virtual machine, or is something else. */
    FOREIGN,
    /** Another version of Lockstep made it. */
    VERSION,
    /** A process that may still write holds it. */
    IN_USE,
    /** A newer epoch exists. */
    OUTDATED,
    /** What was stored is not what is read; nothing of it is used. */
    DAMAGED,
    /** No room is left. */
    FULL,
    /** The operating system reports an error. */
    FAILED
  }

  private final Kind kind;

  /** An error. */
  public StorageException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  /** An error with its cause. */
  public StorageException(Kind kind, String message, Throwable cause) {
    super(message, cause);
    this.kind = kind;
  }

  /** Which kind. */
  public Kind kind() {
    return kind;
  }
}
