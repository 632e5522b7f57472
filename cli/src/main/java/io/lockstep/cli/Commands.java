package io.lockstep.cli;

import io.lockstep.cli.demo.DemoCommand;
import java.util.List;

/**
 * The subcommands of {@code lockstep}, in the order in which its help lists them.
 *
 * <p>To add one, write a class with Picocli's {@code @Command(name = ..., description = ...)} that
 * implements {@code Callable<Integer>} (the result is the exit status, see {@link ExitStatus}) and
 * add it here. Throw a {@link UserError} for what the user can put right.
 */
final class Commands {
  static final List<Class<?>> ALL =
      List.of(
          DemoCommand.class,
          RunCommand.class,
          SecondaryCommand.class,
          StatusCommand.class,
          SwitchOverCommand.class,
          DetachCommand.class,
          StopCommand.class,
          PkiCommand.class,
          RecordCommand.class,
          ReplayCommand.class,
          LogCommand.class,
          ImageCommand.class,
          SwitchCommand.class,
          TrainCommand.class);

  private Commands() {}
}
