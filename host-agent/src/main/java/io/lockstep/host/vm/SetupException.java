package io.lockstep.host.vm;

import java.io.Serial;

/**
 * A virtual machine cannot be set up as it was asked for. The message is one sentence for the user
 * that says what is wrong and what to do.
 */
public final class SetupException extends Exception {
  @Serial private static final long serialVersionUID = 1;

  /** Makes one with the user's sentence. */
  public SetupException(String message) {
    super(message);
  }

  /** Makes one with the user's sentence and what led to it. */
  public SetupException(String message, Throwable cause) {
    super(message, cause);
  }
}
