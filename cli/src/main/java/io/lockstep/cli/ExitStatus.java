package io.lockstep.cli;

/** What the exit status of a command says. */
public final class ExitStatus {
  /** The command did what it was asked to do. */
  public static final int OK = 0;

  /** It tried and failed; a sentence on stderr says why. */
  public static final int FAILURE = 1;

  /** It was asked in a way that it does not understand, and did nothing. */
  public static final int USAGE = 2;

  private ExitStatus() {}
}
