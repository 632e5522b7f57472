package io.lockstep.replay.recording;

import io.lockstep.replay.Divergence;
import io.lockstep.replay.MachineFactory;
import io.lockstep.replay.Replayer;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.replay.log.DecodeResult.Decoded;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.store.LogStoreReader;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.port.OutputSink;
import java.io.IOException;
import java.nio.file.Path;

/**
 * One replay of a recording, from a snapshot to the end or a place before it. Afterwards the
 * machine stands where the replay ended and can be looked at, or be run live through {@link
 * #relay}.
 */
public final class ReplaySession {
  private final Recording recording;
  private final OutputRelay relay = new OutputRelay();
  private final VirtualMachine machine;
  private final Replayer replayer;
  private final SnapshotInfo from;
  private final ReplayUntil until;

  /**
   * Makes the machine.
   *
   * @param outputs gets the machine's outputs; {@link OutputSink#NONE} to drop them
   * @param snapshot where to begin
   * @throws RecordingException if this program's machine cannot replay the recording
   */
  public ReplaySession(
      Recording recording,
      MachineFactory factory,
      OutputSink outputs,
      int snapshot,
      ReplayUntil until)
      throws IOException {
    this.recording = recording;
    this.until = until;
    relay.connect(outputs);
    machine = recording.restore(factory, relay, snapshot);
    from = recording.snapshots().get(snapshot);
    replayer = new Replayer(machine, from.nextLsn());
  }

  /** The machine. */
  public VirtualMachine machine() {
    return machine;
  }

  /** Where the machine's outputs go. */
  public OutputRelay relay() {
    return relay;
  }

  /** Makes {@link #run} return soon, from any thread. */
  public void interrupt() {
    replayer.interrupt();
  }

  /** Replays. */
  public ReplayVerdict run() throws IOException {
    try (LogStoreReader log = recording.log()) {
      Decoded decoded = log.next();
      recording.check(log);
      LogEntry.Digest atSnapshot = null;
      while (decoded != null && decoded.lsn() < from.nextLsn()) {
        if (decoded.entry() instanceof LogEntry.Digest d && d.point() == from.point()) {
          atSnapshot = d;
        }
        decoded = log.next();
      }
      if (atSnapshot != null && machine.digest() != atSnapshot.digest()) {
        return different(snapshotDiffers(atSnapshot));
      }
      for (; decoded != null; decoded = log.next()) {
        if (stopsBefore(decoded)) {
          return stopped();
        }
        switch (replayer.apply(decoded.entry())) {
          case Replayer.Outcome.Applied a -> {}
          case Replayer.Outcome.Interrupted i -> {
            return stopped();
          }
          case Replayer.Outcome.Diverged d -> {
            return different(d.divergence());
          }
        }
        if (stopsAfter(decoded)) {
          return stopped();
        }
      }
      return new ReplayVerdict.Same(log.state(), replayer.digestsChecked(), machine.steps());
    }
  }

  /** What is restored from a snapshot is compared with the digest that was taken with it. */
  private Divergence snapshotDiffers(LogEntry.Digest recorded) {
    return new Divergence(
        Divergence.Kind.DIGEST,
        from.nextLsn() - 1,
        from.point(),
        machine.steps(),
        "digest %016x".formatted(recorded.digest()),
        "digest %016x in snapshot %d".formatted(machine.digest(), from.number()));
  }

  private boolean stopsBefore(Decoded decoded) {
    return switch (until) {
      case ReplayUntil.End u -> false;
      case ReplayUntil.LsnBound u -> decoded.lsn() > u.lsn();
      case ReplayUntil.Time u -> machine.ticks() >= u.ticks();
      case ReplayUntil.Point u -> {
        // The entries of the point itself are applied: the machine stands right before the step.
        if (decoded.entry().point() <= u.point()) {
          yield false;
        }
        replayer.runTo(Math.max(u.point(), machine.steps()));
        yield true;
      }
    };
  }

  private boolean stopsAfter(Decoded decoded) {
    return until instanceof ReplayUntil.LsnBound u && decoded.lsn() >= u.lsn();
  }

  private ReplayVerdict stopped() {
    return new ReplayVerdict.Stopped(
        replayer.nextLsn(), machine.steps(), machine.ticks(), replayer.digestsChecked());
  }

  private ReplayVerdict different(Divergence divergence) {
    Path file;
    try {
      String next = "lockstep log bisect " + recording.directory();
      file = BlackBoxFiles.write(recording.directory(), divergence, replayer, next);
    } catch (IOException e) {
      file = null;
    }
    return new ReplayVerdict.Different(divergence, file);
  }
}
