package io.lockstep.replay.recording;

/** What stands where in the saved state's section {@code hart}: x0, f0, x1, f1 and so on. */
public final class HartFields {
  /** The section's name. */
  public static final String SECTION = "hart";

  /** Where the program counter is, in bytes from the section's start. */
  public static final int PC = 64 * 8;

  /** Where the steps are. */
  public static final int STEPS = PC + 8;

  private HartFields() {}

  /** The name of what is at a byte of the section; "byte N" where it has none here. */
  public static String name(int at) {
    if (at >= 0 && at < PC && at % 8 == 0) {
      return (at % 16 == 0 ? "x" : "f") + at / 16;
    }
    return switch (at) {
      case PC -> "pc";
      case STEPS -> "steps";
      default -> "byte " + at;
    };
  }
}
