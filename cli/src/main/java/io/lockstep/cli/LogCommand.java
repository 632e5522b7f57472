package io.lockstep.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code lockstep log}: what is in a recording. */
@Command(
    name = "log",
    description =
        "Look into recordings: what is in them, whether they are sound, where they differ.",
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      LogInfoCommand.class,
      LogDumpCommand.class,
      LogVerifyCommand.class,
      LogStatsCommand.class,
      LogDiffCommand.class,
      LogBisectCommand.class
    },
    footer = {
      "",
      "Examples:",
      "  lockstep record --out first-run",
      "  lockstep log info first-run",
      "  lockstep log dump first-run --type packet",
      "  lockstep log verify first-run"
    })
final class LogCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    throw new ParameterException(
        spec.commandLine(), "Say what to do: info, dump, verify, stats, diff or bisect.");
  }
}
