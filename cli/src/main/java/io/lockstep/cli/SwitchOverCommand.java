package io.lockstep.cli;

import io.lockstep.cli.ReplicaControl.Found;
import java.io.PrintWriter;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code lockstep switch-over}: the planned exchange of roles. */
@Command(
    name = "switch-over",
    description = "Let the secondary carry on, and make this host's replica the secondary.",
    footer = {
      "",
      "For work on a host: switch over, then detach or stop what is left here. The guest",
      "pauses for a few milliseconds and nothing is lost; the machine stays protected.",
      "",
      "Examples:",
      "  lockstep switch-over",
      "  lockstep switch-over shop",
      "  lockstep switch-over 4711"
    })
final class SwitchOverCommand implements Callable<Integer> {
  @Spec private CommandSpec command;
  @Mixin private ReplicaControl control;

  @Override
  public Integer call() {
    Found primary = control.primary();
    if (!primary.isProtected()) {
      throw new UserError(
          "'%s' has no secondary that could carry on (it is %s); attach one with 'lockstep secondary' first."
              .formatted(primary.name(), primary.role()));
    }
    ReplicaControl.change(
        primary,
        "switch-over",
        "following",
        Set.of("solo"),
        "The switch-over of '%s' did not come about".formatted(primary.name()));
    PrintWriter out = command.commandLine().getOut();
    out.printf(
        "'%s' now runs on the other side; process %d is its secondary.%n",
        primary.name(), primary.pid());
    out.flush();
    return ExitStatus.OK;
  }
}
