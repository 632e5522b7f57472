package io.lockstep.cli;

import io.lockstep.cli.ReplicaControl.Found;
import java.io.PrintWriter;
import java.util.Optional;
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
  private static final long WAIT_MS = 30_000;

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
    ReplicaControl.tell(primary, "switch-over");
    Optional<Found> now =
        ReplicaControl.await(
            primary, WAIT_MS, f -> f.role().equals("following") || f.role().equals("solo"));
    if (now.isEmpty() || !now.get().role().equals("following")) {
      throw new UserError(
          "The switch-over of '%s' did not come about: %s."
              .formatted(
                  primary.name(),
                  now.map(f -> "process " + f.pid() + " is " + f.role())
                      .orElse("process " + primary.pid() + " has ended, see what it said")));
    }
    PrintWriter out = command.commandLine().getOut();
    out.printf(
        "'%s' now runs on the other side; process %d is its secondary.%n",
        primary.name(), primary.pid());
    out.flush();
    return ExitStatus.OK;
  }
}
