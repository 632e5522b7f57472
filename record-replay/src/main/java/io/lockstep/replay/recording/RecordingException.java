package io.lockstep.replay.recording;

import java.io.IOException;

/** A recording that cannot be used. The message is a sentence for the user. */
public final class RecordingException extends IOException {
  private static final long serialVersionUID = 1L;

  /** Makes one. */
  public RecordingException(String message) {
    super(message);
  }

  /** Makes one that came of another. */
  public RecordingException(String message, Throwable cause) {
    super(message, cause);
  }
}
