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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Finds the first step at which replays of a recording differ.
 *
 * <p>First replays are compared with the recorded digests: they give an interval. The recording is
 * gone through in two halves at once, each from the snapshot that it begins with, because this is
 * what takes time. Then two replays go side by side from the last snapshot before the interval, and
 * through the interval by halves: where they agree a checkpoint is taken, where they differ both
 * are set back to it. So each step of the interval is run about twice, however long it is. The two
 * may use different engines; if they use the same, a machine that is not deterministic still
 * differs from itself.
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
    if (interval.divergence == null && !second.equals(first)) {
      interval = findInterval(second);
    }
    return interval.divergence == null
        ? new BisectResult.NoDivergence(interval.digests)
        : narrow(interval);
  }

  /** The part of the run in which a replay goes wrong; without a divergence there is none. */
  private record Interval(long good, long bad, Divergence divergence, long digests) {}

  private Interval findInterval(MachineFactory factory) throws IOException {
    List<SnapshotInfo> snapshots = List.copyOf(recording.snapshots().values());
    long start = snapshots.getFirst().point();
    long half = start + (snapshots.getLast().point() - start) / 2;
    SnapshotInfo middle =
        snapshots.stream()
            .filter(s -> s.point() >= half && s.point() > start)
            .findFirst()
            .orElse(null);
    if (middle == null) {
      return replay(factory, snapshots.getFirst(), Long.MAX_VALUE, new AtomicBoolean());
    }
    AtomicBoolean firstIsWrong = new AtomicBoolean();
    CompletableFuture<Interval> later =
        Side.run(() -> replay(factory, middle, Long.MAX_VALUE, firstIsWrong));
    Interval earlier = replay(factory, snapshots.getFirst(), middle.nextLsn(), new AtomicBoolean());
    firstIsWrong.set(earlier.divergence != null);
    Interval other = Side.join(later);
    return earlier.divergence != null
        ? earlier
        : new Interval(other.good, other.bad, other.divergence, earlier.digests + other.digests);
  }

  /** Replays entries before {@code endLsn}, as long as {@code stop} is not set. */
  private Interval replay(
      MachineFactory factory, SnapshotInfo from, long endLsn, AtomicBoolean stop)
      throws IOException {
    VirtualMachine machine = recording.restore(factory, OutputSink.NONE, from.number());
    long good = machine.steps();
    Replayer replayer = new Replayer(machine, from.nextLsn());
    try (LogStoreReader log = recording.log()) {
      Decoded d = log.next();
      recording.check(log);
      for (; d != null && d.lsn() < endLsn && !stop.get(); d = log.next()) {
        if (d.lsn() < from.nextLsn()) {
          continue;
        }
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
    boolean differed = false;
    // The first probe goes to where the recording was still right, the second asks whether there is
    // a difference at all.
    long probe = Math.max(good, interval.good);
    while (bad - good > 1 || !differed) {
      int next = advance(a, b, entries, applied, probe);
      if (sameDigest(a, b)) {
        if (probe == bad) {
          return new BisectResult.OnlyRecordingDiffers(
              interval.good, interval.bad, interval.divergence);
        }
        good = probe;
        applied = next;
        checkpoint.advance();
        probe = differed ? good + (bad - good) / 2 : bad;
      } else {
        checkpoint.restore();
        differed = true;
        bad = probe;
        probe = good + (bad - good) / 2;
      }
    }
    return name(a, b, entries, applied, good);
  }

  private static BisectResult name(
      VirtualMachine a, VirtualMachine b, List<LogEntry> entries, int applied, long good)
      throws IOException {
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
      VirtualMachine a, VirtualMachine b, List<LogEntry> entries, int applied, long point)
      throws IOException {
    int next = applied;
    while (next < entries.size() && entries.get(next).point() <= point) {
      next++;
    }
    List<LogEntry> part = entries.subList(applied, next);
    CompletableFuture<Boolean> other = Side.run(() -> advance(b, part, point));
    advance(a, part, point);
    Side.join(other);
    return next;
  }

  private static boolean advance(VirtualMachine machine, List<LogEntry> entries, long point) {
    for (LogEntry entry : entries) {
      runTo(machine, entry.point());
      apply(machine, entry);
    }
    runTo(machine, point);
    return true;
  }

  private static boolean sameDigest(VirtualMachine a, VirtualMachine b) throws IOException {
    CompletableFuture<Long> other = Side.run(b::digest);
    long digest = a.digest();
    return digest == Side.join(other);
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
