package io.lockstep.cli;

import io.lockstep.vm.Version;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** Entry point of the {@code lockstep} command. */
@Command(
    name = "lockstep",
    description = "A fault-tolerant RISC-V virtual machine: it carries on when its host dies.",
    synopsisSubcommandLabel = "COMMAND",
    version = "lockstep " + Version.LOCKSTEP,
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Exit status: 0 done, 1 failed, 2 wrong usage.",
      "",
      "Examples:",
      "  lockstep demo                  a guest survives kill -9 of its host",
      "  lockstep run                   the built-in small guest, on this terminal",
      "  lockstep run --image redis     a Debian guest of your own",
      "  lockstep status                protected machines on this host",
      "",
      "'lockstep COMMAND --help' explains a command and shows examples."
    })
public final class Main {
  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Show the stack trace of a failure.")
  private boolean debug;

  private Main() {}

  public static void main(String[] args) {
    System.exit(commandLine(Commands.forArguments(args)).execute(args));
  }

  /**
   * The command with its subcommands, ready to execute; execution returns an {@link ExitStatus}.
   */
  static CommandLine commandLine() {
    return commandLine(Commands.forArguments());
  }

  private static CommandLine commandLine(List<Class<?>> commands) {
    Main main = new Main();
    CommandLine lockstep = new CommandLine(main);
    for (Class<?> command : commands) {
      CommandLine subcommand = new CommandLine(command);
      addHelp(subcommand);
      lockstep.addSubcommand(subcommand);
    }
    return lockstep
        .setExecutionStrategy(Main::execute)
        .setParameterExceptionHandler(Main::reportUsage)
        .setExecutionExceptionHandler((failure, _, _) -> report(failure, lockstep, main.debug));
  }

  private static void addHelp(CommandLine command) {
    if (!command.getCommandSpec().mixinStandardHelpOptions()) {
      command.getCommandSpec().mixinStandardHelpOptions(true);
    }
    command.getSubcommands().values().forEach(Main::addHelp);
  }

  private static int execute(CommandLine.ParseResult parsed) {
    CommandLine lockstep = parsed.commandSpec().commandLine();
    boolean nothingAsked = !parsed.hasSubcommand() && parsed.matchedOptions().isEmpty();
    if (nothingAsked) {
      lockstep.usage(lockstep.getErr());
      return ExitStatus.USAGE;
    }
    return new CommandLine.RunLast().execute(parsed);
  }

  private static int reportUsage(CommandLine.ParameterException failure, String[] args) {
    CommandLine command = failure.getCommandLine();
    command.getErr().println("lockstep: " + failure.getMessage());
    CommandLine.UnmatchedArgumentException.printSuggestions(failure, command.getErr());
    command
        .getErr()
        .println(
            "Try '" + command.getCommandSpec().qualifiedName() + " --help' for what it takes.");
    return ExitStatus.USAGE;
  }

  private static int report(Throwable failure, CommandLine lockstep, boolean debug) {
    String sentence =
        failure instanceof UserError
            ? failure.getMessage()
            : "internal error: %s (repeat with --debug to see where)".formatted(failure);
    lockstep.getErr().println("lockstep: " + sentence);
    if (debug) {
      failure.printStackTrace(lockstep.getErr());
    }
    return ExitStatus.FAILURE;
  }
}
