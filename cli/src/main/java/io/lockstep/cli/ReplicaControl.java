package io.lockstep.cli;

import io.lockstep.host.control.ControlClient;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import picocli.CommandLine.Parameters;
import tools.jackson.core.JacksonException;
import tools.jackson.jr.ob.JSON;

/** Finds a replica on this host, and tells it something. An option group of several commands. */
final class ReplicaControl {
  private static final Set<String> PRIMARY_ROLES =
      Set.of(
          "starting",
          "solo",
          "copying",
          "catching-up",
          "protected",
          "claiming-alone",
          "handing-over");
  private static final long POLL_MS = 50;
  private static final long CHANGE_MS = 30_000;

  @Parameters(
      arity = "0..1",
      paramLabel = "VM",
      description = "The machine's name or a process number; needed if there are several.")
  private String vm;

  /**
   * What a replica said of itself.
   *
   * @param pid its process
   * @param name of its machine
   * @param role as in {@code lockstep status}
   * @param isProtected whether the other side could take over now
   */
  record Found(long pid, String name, String role, boolean isProtected) {
    boolean isPrimary() {
      return PRIMARY_ROLES.contains(role);
    }

    boolean isUnprotected() {
      return role.equals("unprotected");
    }
  }

  /** The one primary that is meant. */
  Found primary() {
    List<Found> meant = meant();
    List<Found> primaries = meant.stream().filter(Found::isPrimary).toList();
    if (primaries.isEmpty() && meant.stream().anyMatch(Found::isUnprotected)) {
      throw new UserError(
          "'%s' is no protected machine: it was started without --protect-listen."
              .formatted(meant.getFirst().name()));
    }
    if (primaries.isEmpty()) {
      Found secondary = meant.getFirst();
      throw new UserError(
          "Process %d is the secondary of '%s'; ask its primary, with this command on its host."
              .formatted(secondary.pid(), secondary.name()));
    }
    return one(primaries);
  }

  /** The one replica that is meant; of two sides of the same machine, the primary. */
  Found replica() {
    List<Found> meant = meant();
    List<Found> primaries = meant.stream().filter(f -> f.isPrimary() || f.isUnprotected()).toList();
    return one(primaries.isEmpty() ? meant : primaries);
  }

  private List<Found> meant() {
    List<Found> all = replicas();
    if (all.isEmpty()) {
      throw new UserError("No machine of yours runs on this host.");
    }
    if (vm == null) {
      return all;
    }
    List<Found> named =
        all.stream().filter(f -> vm.equals(Long.toString(f.pid())) || vm.equals(f.name())).toList();
    if (named.isEmpty()) {
      throw new UserError(
          "There is no replica '%s' on this host; 'lockstep status' lists them.".formatted(vm));
    }
    return named;
  }

  private static Found one(List<Found> candidates) {
    if (candidates.size() == 1) {
      return candidates.getFirst();
    }
    Set<String> names =
        candidates.stream().map(Found::name).collect(Collectors.toCollection(TreeSet::new));
    if (names.size() == 1) {
      throw new UserError(
          "Several processes on this host hold a machine '%s' (%s): give the process number."
              .formatted(
                  names.iterator().next(),
                  candidates.stream()
                      .map(f -> Long.toString(f.pid()))
                      .collect(Collectors.joining(", "))));
    }
    throw new UserError(
        "Several machines run on this host (%s): say which.".formatted(String.join(", ", names)));
  }

  private static List<Found> replicas() {
    List<Found> found = new ArrayList<>();
    try {
      for (long pid : ControlClient.processes()) {
        status(pid).filter(f -> !f.role().equals(VmControl.ROLE)).ifPresent(found::add);
      }
    } catch (IOException e) {
      throw new UserError(
          "The directory of control sockets cannot be read: %s; is LOCKSTEP_RUNTIME_DIR right?"
              .formatted(e.getMessage()),
          e);
    }
    return found;
  }

  /** What a process says of itself; empty if it is gone or does not answer. */
  static Optional<Found> status(long pid) {
    try {
      Optional<String> reply = ControlClient.ask(pid, "status");
      if (reply.isEmpty()) {
        return Optional.empty();
      }
      Map<String, Object> s = JSON.std.mapFrom(reply.get());
      return Optional.of(
          new Found(
              pid,
              String.valueOf(s.get("name")),
              String.valueOf(s.get("role")),
              Boolean.TRUE.equals(s.get("protected"))));
    } catch (IOException | JacksonException e) {
      return Optional.empty();
    }
  }

  /** Sends a request that has no other answer than that it was taken. */
  static void tell(Found replica, String request) {
    try {
      if (ControlClient.ask(replica.pid(), request).isPresent()) {
        return;
      }
    } catch (IOException e) {
      throw new UserError(e.getMessage(), e);
    }
    throw new UserError("Process %d has ended.".formatted(replica.pid()));
  }

  /**
   * Asks a primary for another role, and waits until it has it.
   *
   * @param wanted the role
   * @param refused other roles that are the end of the attempt
   * @param failure the beginning of a sentence for the user, in case it doesn't come to have it
   */
  static void change(
      Found primary, String request, String wanted, Set<String> refused, String failure) {
    tell(primary, request);
    Optional<Found> now =
        await(primary, CHANGE_MS, f -> f.role().equals(wanted) || refused.contains(f.role()));
    if (now.isEmpty() || !now.get().role().equals(wanted)) {
      throw new UserError(
          "%s: %s."
              .formatted(
                  failure,
                  now.map(f -> "process " + f.pid() + " is " + f.role())
                      .orElse("process " + primary.pid() + " has ended, see what it said")));
    }
  }

  /**
   * Waits until the process says something that is the end of what was asked for, or ends.
   *
   * @return what it said last; empty if the process has ended
   */
  static Optional<Found> await(Found replica, long timeoutMs, Predicate<Found> done) {
    long end = System.nanoTime() + timeoutMs * 1_000_000;
    while (ProcessHandle.of(replica.pid()).isPresent()) {
      Optional<Found> now = status(replica.pid());
      if (now.isPresent() && (done.test(now.get()) || System.nanoTime() > end)) {
        return now;
      }
      if (System.nanoTime() > end) {
        throw new UserError("Process %d does not answer; is it stopped?".formatted(replica.pid()));
      }
      try {
        Thread.sleep(POLL_MS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new UserError("Interrupted; what was asked for goes on.", e);
      }
    }
    return Optional.empty();
  }
}
