package io.lockstep.vm.firmware;

/** A machine cannot start from what it was given. The message is one sentence for the user. */
public final class BootException extends Exception {
  private static final long serialVersionUID = 1L;

  /** Makes one with a sentence that says what is wrong and what would help. */
  public BootException(String message) {
    super(message);
  }
}
