package io.lockstep.cli;

import io.lockstep.cli.ReplicaControl.Found;
import java.io.PrintWriter;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code lockstep detach}: go on without a secondary. */
@Command(
    name = "detach",
    description = "Go on without the secondary, whose process ends.",
    footer = {
      "",
      "The guest runs on unprotected until another 'lockstep secondary' joins.",
      "",
      "Examples:",
      "  lockstep detach",
      "  lockstep detach shop"
    })
final class DetachCommand implements Callable<Integer> {
  @Spec private CommandSpec command;
  @Mixin private ReplicaControl control;

  @Override
  public Integer call() {
    Found primary = control.primary();
    if (primary.role().equals("solo")) {
      throw new UserError(
          "'%s' has no secondary: there is nothing to detach.".formatted(primary.name()));
    }
    ReplicaControl.change(
        primary,
        "detach",
        "solo",
        Set.of(),
        "The secondary of '%s' could not be detached".formatted(primary.name()));
    PrintWriter out = command.commandLine().getOut();
    out.printf("'%s' runs on alone in process %d.%n", primary.name(), primary.pid());
    out.flush();
    return ExitStatus.OK;
  }
}
