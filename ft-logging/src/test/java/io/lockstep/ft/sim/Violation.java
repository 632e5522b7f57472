package io.lockstep.ft.sim;

/** A promise that was broken in a simulated run. */
final class Violation extends RuntimeException {
  private static final long serialVersionUID = 1L;

  Violation(String what) {
    super(what);
  }
}
