package io.lockstep.cli;

import io.lockstep.host.control.ControlClient;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.jr.ob.JSON;

/** {@code lockstep status}: what the replicas on this host are doing. */
@Command(
    name = "status",
    description = "Show the replicas of protected machines on this host.",
    footer = {
      "",
      "LAG is how far the secondary's execution is behind, HELD how many outputs wait for",
      "its acknowledgement, SLOWED the share of time that the primary stands still for it.",
      "",
      "Examples:",
      "  lockstep status",
      "  lockstep status --json",
      "  watch -n 0.5 lockstep status"
    })
final class StatusCommand implements Callable<Integer> {
  private static final String ROW = "%-8s %-12s %-16s %6s %-9s %9s %6s %7s %12s  %s%n";

  @Spec private CommandSpec command;

  @Option(names = "--json", description = "One JSON object a line.")
  private boolean json;

  @Parameters(arity = "0..*", paramLabel = "PID", description = "Only these processes.")
  private final List<Long> only = new ArrayList<>();

  @Override
  public Integer call() {
    PrintWriter out = command.commandLine().getOut();
    try {
      List<String> replies = new ArrayList<>();
      for (long pid : only.isEmpty() ? ControlClient.processes() : only) {
        ask(pid).ifPresent(replies::add);
      }
      print(out, replies);
      out.flush();
      return ExitStatus.OK;
    } catch (IOException e) {
      throw new UserError(e.getMessage(), e);
    }
  }

  private Optional<String> ask(long pid) throws IOException {
    Optional<String> reply = Optional.empty();
    try {
      reply = ControlClient.ask(pid, "status");
    } catch (IOException e) {
      if (!only.isEmpty()) {
        throw e;
      }
      // One that is stopped must not hide the others.
      command.commandLine().getErr().println("lockstep: " + e.getMessage());
    }
    if (reply.isEmpty() && !only.isEmpty()) {
      throw new UserError(
          "Process %d is no replica of yours; 'lockstep status' lists them.".formatted(pid));
    }
    return reply;
  }

  private void print(PrintWriter out, List<String> replies) throws IOException {
    if (json) {
      replies.forEach(out::println);
      return;
    }
    if (replies.isEmpty()) {
      out.println("No protected machine runs on this host.");
      return;
    }
    out.printf(
        ROW,
        "PID",
        "NAME",
        "ROLE",
        "EPOCH",
        "PROTECTED",
        "LAG",
        "HELD",
        "SLOWED",
        "LOG",
        "LISTENS AT");
    for (String reply : replies) {
      Map<String, Object> r = JSON.std.mapFrom(reply);
      out.printf(
          ROW,
          r.get("pid"),
          r.get("name"),
          r.get("role"),
          r.get("epoch"),
          Boolean.TRUE.equals(r.get("protected")) ? "yes" : "no",
          r.get("lag_ms") + " ms",
          r.get("held_outputs"),
          Math.round(((Number) r.get("throttle")).doubleValue() * 100) + " %",
          r.get("log_bytes") + " B",
          r.get("listen"));
    }
  }
}
