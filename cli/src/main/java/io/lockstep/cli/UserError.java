package io.lockstep.cli;

import java.io.Serial;

/**
 * Something that the user can put right: a missing file, a wrong kernel, a peer that refuses. The
 * message is one sentence that says what happened and what to do, and is all that the user gets to
 * see; the command exits with status 1.
 */
public final class UserError extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  public UserError(String message) {
    super(message);
  }

  public UserError(String message, Throwable cause) {
    super(message, cause);
  }
}
