package io.lockstep.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code lockstep image}: guests and their disks. */
@Command(
    name = "image",
    description = "Make guests from Debian's packages, and disks for them.",
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {ImageBuildCommand.class, ImageDiskCommand.class},
    footer = {
      "",
      "Examples:",
      "  lockstep image build redis --include redis-server,redis-tools",
      "  lockstep image disk data.img --size 1G",
      "  lockstep run --image redis --disk data.img --net user,forward=tcp:6379::6379"
    })
final class ImageCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    throw new ParameterException(spec.commandLine(), "Name what to make: build or disk.");
  }
}
