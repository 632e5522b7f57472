package io.lockstep.replay.divergence;

import io.lockstep.replay.Divergence;
import io.lockstep.replay.MachineFactory;
import io.lockstep.replay.Replayer;
import io.lockstep.replay.log.DecodeResult.Decoded;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.recording.Recording;
import io.lockstep.replay.recording.SnapshotInfo;
import io.lockstep.replay.store.LogStoreReader;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.port.OutputSink;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds the first step at which replays of a recording differ.
 *
 * <p>First a replay is compared with the recorded digests: they give an interval. Then two replays
 * go through the interval side by side, by halves: where they agree a checkpoint is taken, where
 * they differ both are set back to it. So each step of the interval is run about twice, however
 * long it is. The two may use different engines; if they use the same, a machine that is not
 * deterministic still differs from itself.
 */
public final class Bisector {
  private final Recording recording;
  private final MachineFactory first;
  private final MachineFactory second;

  /** Compares machines of two makes; they may be the same. */
  public Bisector(Recording recording, MachineFactory first, MachineFactory second) {
    this.recording = recording;
    this.first = first;
    this.second = second;
  }

  /** Finds it. */
  public BisectResult run() throws IOException {
    Interval interval = findInterval(first);
    if (interval.divergence == null) {
      Interval other = findInterval(second);
      if (other.divergence == null) {
        return new BisectResult.NoDivergence(interval.digests);
      }
      interval = other;
    }
    return narrow(interval);
  }

  /** The part of the run in which a replay goes wrong. */
  private record Interval(long good, long bad, Divergence divergence, long digests) {}

  private Interval findInterval(MachineFactory factory) throws IOException {
    VirtualMachine machine = recording.restore(factory, OutputSink.NONE, 0);
    long good = machine.steps();
    Replayer replayer = new Replayer(machine, recording.snapshots().get(0).nextLsn());
    try (LogStoreReader log = recording.log()) {
      for (Decoded d = log.next(); d != null; d = log.next()) {
        switch (replayer.apply(d.entry())) {
          case Replayer.Outcome.Applied a -> {
            if (d.entry() instanceof LogEntry.Digest digest) {
              good = digest.point();
            }
          }
          case Replayer.Outcome.Interrupted i -> throw new IllegalStateException("interrupted");
          case Replayer.Outcome.Diverged diverged ->
          // A replay that waits or halts shows it a step after the recording would have gone on.
          {
            return new Interval(
                good, d.entry().point() + 1, diverged.divergence(), replayer.digestsChecked());
          }
        }
      }
    }
    return new Interval(good, good, null, replayer.digestsChecked());
  }

  private BisectResult narrow(Interval interval) throws IOException {
    SnapshotInfo from = recording.snapshots().get(0);
    for (SnapshotInfo snapshot : recording.snapshots().values()) {
      if (snapshot.point() <= interval.good) {
        from = snapshot;
      }
    }
    VirtualMachine a = recording.restore(first, OutputSink.NONE, from.number());
    VirtualMachine b = recording.restore(second, OutputSink.NONE, from.number());
    List<LogEntry> entries = entries(from.nextLsn(), interval.bad);
    long good = a.steps();
    int applied = 0;
    while (applied < entries.size() && entries.get(applied).point() <= good) {
      apply(a, entries.get(applied));
      apply(b, entries.get(applied++));
    }
    Checkpoint checkpoint = new Checkpoint(a, b);
    long bad = interval.bad;
    // The first probe asks whether there is a difference at all, and goes the whole way.
    long probe = bad;
    while (bad - good > 1 || probe == bad) {
      int next = advance(a, b, entries, applied, probe);
      if (a.digest() == b.digest()) {
        if (probe == bad) {
          return new BisectResult.OnlyRecordingDiffers(
              interval.good, interval.bad, interval.divergence);
        }
        good = probe;
        applied = next;
        checkpoint.advance();
      } else {
        checkpoint.restore();
        bad = probe;
      }
      if (bad - good <= 1) {
        break;
      }
      probe = good + (bad - good) / 2;
    }
    return name(a, b, entries, applied, good);
  }

  private static BisectResult name(
      VirtualMachine a, VirtualMachine b, List<LogEntry> entries, int applied, long good) {
    long pc = StateDiff.pc(a);
    runTo(a, good + 1);
    runTo(b, good + 1);
    boolean atInput = a.digest() == b.digest();
    if (atInput) {
      advance(a, b, entries, applied, good + 1);
    }
    return new BisectResult.FirstDifference(good, atInput, pc, StateDiff.of(a, b));
  }

  /** Takes both to {@code point} and returns how many entries have been applied then. */
  private static int advance(
      VirtualMachine a, VirtualMachine b, List<LogEntry> entries, int applied, long point) {
    int next = applied;
    while (next < entries.size() && entries.get(next).point() <= point) {
      LogEntry entry = entries.get(next++);
      runTo(a, entry.point());
      runTo(b, entry.point());
      apply(a, entry);
      apply(b, entry);
    }
    runTo(a, point);
    runTo(b, point);
    return next;
  }

  /** A machine that waits or is off before the point stays there; its digest tells. */
  private static void runTo(VirtualMachine machine, long point) {
    while (machine.steps() < point) {
      VirtualMachine.Stop stop = machine.run(point);
      if (stop == VirtualMachine.Stop.IDLE || stop == VirtualMachine.Stop.HALTED) {
        return;
      }
    }
  }

  private static void apply(VirtualMachine machine, LogEntry entry) {
    if (entry instanceof LogEntry.InputEntry input) {
      machine.apply(input.input());
      Replayer.settle(machine);
    }
  }

  private List<LogEntry> entries(long fromLsn, long toPoint) throws IOException {
    List<LogEntry> out = new ArrayList<>();
    try (LogStoreReader log = recording.log()) {
      for (Decoded d = log.next(); d != null; d = log.next()) {
        if (d.entry().point() > toPoint) {
          break;
        }
        if (d.lsn() >= fromLsn) {
          out.add(d.entry());
        }
      }
    }
    return out;
  }
}
