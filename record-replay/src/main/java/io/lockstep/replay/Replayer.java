package io.lockstep.replay;

import io.lockstep.replay.log.LogEntry;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.machine.VirtualMachine.Power;
import java.util.ArrayList;
import java.util.List;

/**
 * Makes a machine go through a log: runs it to exactly each entry's execution point and applies the
 * entry there. Waiting takes no time. The machine is the caller's, who must not touch it during
 * {@link #apply}; all methods but {@link #interrupt} belong to one thread.
 */
public final class Replayer {
  /** Entries that are remembered for the black box. */
  private static final int RECENT = 64;

  private final VirtualMachine machine;
  private final LogEntry[] recent = new LogEntry[RECENT];
  private long applied;
  private long nextLsn;
  private long digestsChecked;
  private volatile boolean interrupted;

  /** What came of an entry. */
  public sealed interface Outcome {
    /** The entry is applied, and if it was a digest, it is right. */
    record Applied() implements Outcome {}

    /**
     * {@link #interrupt} was called before the entry's point was reached; apply the same entry
     * again to go on.
     */
    record Interrupted() implements Outcome {}

    /** The machine is not the one that was recorded. It must not be used any more. */
    record Diverged(Divergence divergence) implements Outcome {}
  }

  private static final Outcome APPLIED = new Outcome.Applied();
  private static final Outcome INTERRUPTED = new Outcome.Interrupted();

  /**
   * Starts where the machine stands.
   *
   * @param nextLsn lsn of the first entry that will be applied
   */
  public Replayer(VirtualMachine machine, long nextLsn) {
    this.machine = machine;
    this.nextLsn = nextLsn;
  }

  /** Lsn of the next entry. */
  public long nextLsn() {
    return nextLsn;
  }

  /** How many digest entries were found right. */
  public long digestsChecked() {
    return digestsChecked;
  }

  /** The machine. */
  public VirtualMachine machine() {
    return machine;
  }

  /**
   * From any thread: makes an {@link #apply} or {@link #runTo} that is under way, or else the next
   * one, return soon.
   */
  public void interrupt() {
    interrupted = true;
    machine.requestStop();
  }

  /** The entries applied last, oldest first; the newest has lsn {@code nextLsn() - 1}. */
  public List<LogEntry> recent() {
    int n = (int) Math.min(applied, RECENT);
    List<LogEntry> out = new ArrayList<>(n);
    for (long i = applied - n; i < applied; i++) {
      out.add(recent[(int) (i % RECENT)]);
    }
    return out;
  }

  /** Runs to the entry's point and applies it. */
  public Outcome apply(LogEntry entry) {
    Outcome outcome = runTo(entry.point());
    if (!(outcome instanceof Outcome.Applied)) {
      return outcome;
    }
    switch (entry) {
      case LogEntry.InputEntry e -> {
        machine.apply(e.input());
        settle(machine);
      }
      case LogEntry.Digest e -> {
        long found = machine.digest();
        if (found != e.digest()) {
          return diverged(
              Divergence.Kind.DIGEST,
              e.point(),
              "digest %016x".formatted(e.digest()),
              "digest %016x".formatted(found));
        }
        digestsChecked++;
      }
      case LogEntry.End e -> {
        boolean halted = machine.power() != Power.ON;
        if (halted != (e.reason() == LogEntry.EndReason.GUEST_HALTED)) {
          return diverged(
              Divergence.Kind.POWER, e.point(), "end " + e.reason(), "power " + machine.power());
        }
      }
      case LogEntry.OutputMark e -> remembered();
      case LogEntry.EpochChange e -> remembered();
      case LogEntry.Flush e -> remembered();
      case LogEntry.SnapshotMark e -> remembered();
    }
    recent[(int) (applied++ % RECENT)] = entry;
    nextLsn++;
    return APPLIED;
  }

  /**
   * Lets the machine draw the conclusions of an input (an interrupt ends the waiting) without a
   * step. Live and replayed machines do this after each input, so that what stands at a point
   * depends on the entries only, and not on when the machine was asked to run.
   */
  public static void settle(VirtualMachine machine) {
    machine.run(machine.steps());
  }

  /** These have no effect on a machine. */
  private static void remembered() {}

  /**
   * Runs to exactly this point, which must not lie beyond the next entry's.
   *
   * @return {@link Outcome.Applied} if the machine stands there
   */
  public Outcome runTo(long point) {
    while (machine.steps() < point) {
      if (interrupted) {
        interrupted = false;
        return INTERRUPTED;
      }
      switch (machine.run(point)) {
        case LIMIT, REQUESTED -> {}
        case IDLE -> {
          if (machine.steps() < point) {
            return diverged(Divergence.Kind.IDLE, point, "running on to " + point, "waiting");
          }
        }
        case HALTED -> {
          if (machine.steps() < point) {
            return diverged(
                Divergence.Kind.POWER, point, "running on to " + point, "power " + machine.power());
          }
        }
      }
    }
    if (machine.steps() != point) {
      return diverged(
          Divergence.Kind.ORDER, point, "an entry at " + point, "already at " + machine.steps());
    }
    return APPLIED;
  }

  private Outcome diverged(Divergence.Kind kind, long point, String expected, String found) {
    return new Outcome.Diverged(
        new Divergence(kind, nextLsn, point, machine.steps(), expected, found));
  }
}
