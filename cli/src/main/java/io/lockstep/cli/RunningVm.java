package io.lockstep.cli;

import io.lockstep.host.control.ControlClient;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import tools.jackson.jr.ob.JSON;

/** A machine in another process of the user on this host. */
final class RunningVm {
  /** To begin means to copy the guest's memory, to end may mean to wait for a slow disk. */
  private static final Duration PATIENCE = Duration.ofMinutes(2);

  private final long pid;

  private RunningVm(long pid) {
    this.pid = pid;
  }

  /**
   * Finds the one with this process number or name.
   *
   * @throws UserError if there is none, or more than one
   */
  static RunningVm find(String pidOrName) {
    List<Long> found = new ArrayList<>();
    try {
      for (long pid : ControlClient.processes()) {
        if (Long.toString(pid).equals(pidOrName)
            || ReplicaControl.status(pid).filter(f -> f.name().equals(pidOrName)).isPresent()) {
          found.add(pid);
        }
      }
    } catch (IOException e) {
      throw new UserError("The machines cannot be asked: " + e.getMessage() + ".", e);
    }
    return switch (found.size()) {
      case 0 ->
          throw new UserError(
              "There is no running machine %s of yours; 'lockstep status' lists them."
                  .formatted(pidOrName));
      case 1 -> new RunningVm(found.getFirst());
      default ->
          throw new UserError(
              "%d machines are named %s; say which one by its process number: %s."
                  .formatted(found.size(), pidOrName, found.toString().replaceAll("[\\[\\]]", "")));
    };
  }

  /** Begins to record it. Returns a sentence for the user. */
  String record(VmControl.Start start) {
    try {
      Map<String, Object> reply = ask(start.toRequest());
      return String.format(
          Locale.ROOT,
          "Recording process %d into %s, from execution point %s on; the guest stood still for %s"
              + " ms.%n'lockstep record --vm %d --stop' ends it.",
          pid,
          start.out(),
          reply.get("point"),
          reply.get("stood_ms"),
          pid);
    } catch (IOException e) {
      throw unreachable(e);
    }
  }

  /** Ends its recording. Returns a sentence for the user. */
  String stopRecording() {
    try {
      Map<String, Object> reply = ask("record-stop");
      return "The recording %s is complete, with %s entries. 'lockstep replay %s' repeats it."
          .formatted(reply.get("out"), reply.get("entries"), reply.get("out"));
    } catch (IOException e) {
      throw unreachable(e);
    }
  }

  private Map<String, Object> ask(String request) throws IOException {
    Optional<String> reply = ControlClient.ask(pid, request, PATIENCE);
    if (reply.isEmpty()) {
      throw new UserError("Process %d has ended, or does not answer.".formatted(pid));
    }
    Map<String, Object> fields = JSON.std.mapFrom(reply.get());
    Object error = fields.get("error");
    if (error != null) {
      throw new UserError(
          error.equals("unknown request")
              ? "Process %d is a protected machine; only unprotected ones can be recorded."
                  .formatted(pid)
              : error.toString());
    }
    return fields;
  }

  private UserError unreachable(IOException e) {
    return new UserError("Process %d cannot be asked: %s.".formatted(pid, e.getMessage()), e);
  }
}
