package io.lockstep.cli.console;

import java.io.ByteArrayOutputStream;
import java.util.function.Consumer;

/**
 * Finds the keys that are for Lockstep in what the user types: Ctrl-A and one more key. Everything
 * else is for the guest.
 */
public final class EscapeKeys {
  /** What the user asks for. */
  public enum Command {
    /** Ctrl-A x: stop the machine at once. */
    QUIT,
    /** Ctrl-A p: press the power button. */
    POWER_BUTTON,
    /** Ctrl-A s: show numbers. */
    STATS,
    /** Ctrl-A h or ?: show these keys. */
    HELP
  }

  /** What {@link Command#HELP} shows. */
  public static final String HELP =
      "Ctrl-A x  stop the machine | Ctrl-A s  statistics | Ctrl-A p  power button"
          + " | Ctrl-A Ctrl-A  send Ctrl-A | Ctrl-A h  this help";

  private static final int CTRL_A = 1;

  private boolean afterCtrlA;

  /**
   * Splits what was typed.
   *
   * @param commands gets the commands, in their order
   * @return what is for the guest
   */
  public byte[] filter(byte[] typed, int length, Consumer<Command> commands) {
    var forGuest = new ByteArrayOutputStream(length);
    for (int i = 0; i < length; i++) {
      int key = typed[i];
      if (afterCtrlA) {
        afterCtrlA = false;
        second(key, forGuest, commands);
      } else if (key == CTRL_A) {
        afterCtrlA = true;
      } else {
        forGuest.write(key);
      }
    }
    return forGuest.toByteArray();
  }

  private static void second(int key, ByteArrayOutputStream forGuest, Consumer<Command> commands) {
    switch (key) {
      case 'x', 'X' -> commands.accept(Command.QUIT);
      case 'p' -> commands.accept(Command.POWER_BUTTON);
      case 's' -> commands.accept(Command.STATS);
      case 'h', '?' -> commands.accept(Command.HELP);
      case CTRL_A, 'a' -> forGuest.write(CTRL_A);
      default -> {
        // A slip of the finger is for nobody.
      }
    }
  }
}
