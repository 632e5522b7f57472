package io.lockstep.vm.snapshot;

/**
 * Saved state that cannot be what this machine saved: cut short, corrupt, or from another machine
 * definition.
 */
public final class StateFormatException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Makes one with a sentence for the user. */
  public StateFormatException(String message) {
    super(message);
  }
}
