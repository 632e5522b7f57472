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
 * <p>First a replay is compared with the recorded digests: that gives an interval. The recording is
 * gone through in two halves at once, each from the snapshot that it begins with, because this is
 * what takes time. A checkpoint goes along from digest to digest, so that the machine that went
 * wrong can be set back to where it was still right. There a second machine is made its equal, and
 * the two go through the interval by halves: where they agree the checkpoint moves on, where they
 * differ both are set back to it. So each step of the interval is run about twice, however long it
 * is. The two may use different engines; if they use the same, a machine that is not deterministic
 * still differs from itself.
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
    if (interval.divergence != null) {
      VirtualMachine other = equalOf(interval, second);
      return narrow(interval, interval.machine, other);
    }
    if (!second.equals(first)) {
      interval = findInterval(second);
      if (interval.divergence != null) {
        VirtualMachine other = equalOf(interval, first);
        return narrow(interval, other, interval.machine);
      }
    }
    return new BisectResult.NoDivergence(interval.digests);
  }

  private VirtualMachine equalOf(Interval interval, MachineFactory factory) {
    VirtualMachine other = factory.create(recording.info().config(), OutputSink.NONE);
    interval.checkpoint.add(other);
    return other;
  }

  /**
   * The part of the run in which a replay goes wrong; without a divergence there is none.
   *
   * @param good the point of the last digest that was right, or where the replay began
   * @param nextLsn the entry after that
   * @param bad a point at which something is wrong
   * @param digests how many were right
   * @param machine the one that went wrong, set back to {@code good}
   * @param checkpoint of that
   */
  private record Interval(
      long good,
      long nextLsn,
      long bad,
      Divergence divergence,
      long digests,
      VirtualMachine machine,
      Checkpoint checkpoint) {
    static Interval none(long digests) {
      return new Interval(0, 0, 0, null, digests, null, null);
    }
  }

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
        : other.divergence != null ? other : Interval.none(earlier.digests + other.digests);
  }

  /** Replays entries before {@code endLsn}, as long as {@code stop} is not set. */
  private Interval replay(
      MachineFactory factory, SnapshotInfo from, long endLsn, AtomicBoolean stop)
      throws IOException {
    VirtualMachine machine = recording.restore(factory, OutputSink.NONE, from.number());
    Checkpoint checkpoint = new Checkpoint(machine);
    long good = machine.steps();
    long goodLsn = from.nextLsn();
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
              goodLsn = d.lsn() + 1;
              checkpoint.advance();
            }
          }
          case Replayer.Outcome.Interrupted i -> throw new IllegalStateException("interrupted");
          case Replayer.Outcome.Diverged diverged -> {
            checkpoint.restore();
            // A replay that waits or halts shows it a step after the recording would have gone on.
            return new Interval(
                good,
                goodLsn,
                d.entry().point() + 1,
                diverged.divergence(),
                replayer.digestsChecked(),
                machine,
                checkpoint);
          }
        }
      }
    }
    return Interval.none(replayer.digestsChecked());
  }

  private BisectResult narrow(Interval interval, VirtualMachine a, VirtualMachine b)
      throws IOException {
    Checkpoint checkpoint = interval.checkpoint;
    List<LogEntry> entries = entries(interval.nextLsn, interval.bad);
    long good = interval.good;
    // Of the entries at the same point some may stand behind the digest.
    int applied = advance(a, b, entries, 0, good);
    if (!sameDigest(a, b)) {
      return new BisectResult.FirstDifference(good - 1, true, -1, StateDiff.of(a, b));
    }
    checkpoint.advance();
    long bad = interval.bad;
    boolean differed = false;
    // The first probe asks whether there is a difference at all.
    long probe = bad;
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
