package io.lockstep.cli;

import io.lockstep.cli.ReplicaControl.Found;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code lockstep stop}: the end of a machine, or of its secondary. */
@Command(
    name = "stop",
    description = "Stop a machine, as if it were switched off.",
    footer = {
      "",
      "Stopping the primary stops the machine; its secondary ends too. Stopping a secondary",
      "(give its process number) only ends that process, and the guest runs on. To shut the",
      "guest down in good order, do it from inside.",
      "",
      "Examples:",
      "  lockstep stop",
      "  lockstep stop shop",
      "  lockstep stop 4711"
    })
final class StopCommand implements Callable<Integer> {
  private static final long WAIT_MS = 30_000;

  @Spec private CommandSpec command;
  @Mixin private ReplicaControl control;

  @Override
  public Integer call() {
    Found replica = control.replica();
    ReplicaControl.tell(replica, "stop");
    if (ReplicaControl.await(replica, WAIT_MS, _ -> false).isPresent()) {
      throw new UserError(
          "Process %d has not ended; end it with 'kill %d'."
              .formatted(replica.pid(), replica.pid()));
    }
    PrintWriter out = command.commandLine().getOut();
    out.printf(
        replica.isPrimary() || replica.isUnprotected()
            ? "'%s' is stopped.%n"
            : "The secondary of '%s' is stopped.%n",
        replica.name());
    out.flush();
    return ExitStatus.OK;
  }
}
