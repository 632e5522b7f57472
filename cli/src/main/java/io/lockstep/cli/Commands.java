package io.lockstep.cli;

import io.lockstep.cli.demo.DemoCommand;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The subcommands of {@code lockstep}, in the order in which its help lists them.
 *
 * <p>To add one, write a class with Picocli's {@code @Command(name = ..., description = ...)} that
 * implements {@code Callable<Integer>} (the result is the exit status, see {@link ExitStatus}) and
 * add it here, under its name. Throw a {@link UserError} for what the user can put right.
 */
final class Commands {
  private static final Map<String, Class<?>> BY_NAME = new LinkedHashMap<>();

  static {
    BY_NAME.put("demo", DemoCommand.class);
    BY_NAME.put("run", RunCommand.class);
    BY_NAME.put("secondary", SecondaryCommand.class);
    BY_NAME.put("status", StatusCommand.class);
    BY_NAME.put("switch-over", SwitchOverCommand.class);
    BY_NAME.put("detach", DetachCommand.class);
    BY_NAME.put("stop", StopCommand.class);
    BY_NAME.put("pki", PkiCommand.class);
    BY_NAME.put("record", RecordCommand.class);
    BY_NAME.put("replay", ReplayCommand.class);
    BY_NAME.put("log", LogCommand.class);
    BY_NAME.put("image", ImageCommand.class);
    BY_NAME.put("switch", SwitchCommand.class);
    BY_NAME.put("train", TrainCommand.class);
  }

  /** All of them by name. */
  static Map<String, Class<?>> byName() {
    return Map.copyOf(BY_NAME);
  }

  /**
   * Those that a command line can be about: to read what all commands take makes up a good part of
   * the time until the one that is wanted begins.
   */
  static List<Class<?>> forArguments(String... arguments) {
    Class<?> wanted = arguments.length == 0 ? null : BY_NAME.get(arguments[0]);
    return wanted == null ? new ArrayList<>(BY_NAME.values()) : List.of(wanted);
  }

  private Commands() {}
}
