package io.lockstep.ft.pair;

import io.lockstep.ft.protocol.Message;
import io.lockstep.replay.Replayer;
import io.lockstep.replay.live.HostClock;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.replay.log.DecodeResult;
import io.lockstep.replay.log.LogDecoder;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.LongConsumer;

/**
 * A secondary's half of the log: what arrives is stored and decoded at once, on the link's thread,
 * and replayed on the vCPU's. The machine runs to an entry's point only when the entry is here, so
 * it never runs ahead of the primary.
 */
final class LogFollower {
  /** Told how the replay goes, on the vCPU thread; of every entry, so that must cost nothing. */
  record Observer(
      LongConsumer replayed, Consumer<String> diverged, Consumer<LogEntry.EndReason> ended) {}

  private record Arrived(long lsn, LogEntry entry) {}

  /** Has no entry. */
  private static final Arrived STOP = new Arrived(-1, null);

  private final VirtualMachine machine;
  private final OutputRelay relay;
  private final Replayer replayer;
  private final Observer observer;
  private final LogFile file;
  private final LogDecoder decoder = new LogDecoder();
  private final LinkedBlockingQueue<Arrived> arrived = new LinkedBlockingQueue<>();
  private final OutputQueue unreleased = new OutputQueue();
  private final UnstableWrites unstable = new UnstableWrites();
  private long storedNext;
  private final LongAdder bytes = new LongAdder();
  private volatile long stableNext;
  private volatile long releasedNext;
  private volatile long readingTicks;
  private volatile long readingNanos = System.nanoTime();

  /**
   * Follows from where the machine will stand when {@link #begin} is called; entries may arrive
   * before.
   *
   * @param startLsn first entry to come
   */
  LogFollower(
      VirtualMachine machine, OutputRelay relay, long startLsn, LogFile file, Observer observer) {
    this.machine = machine;
    this.relay = relay;
    this.replayer = new Replayer(machine, startLsn);
    this.storedNext = startLsn;
    this.file = file;
    this.observer = observer;
  }

  /** On the machine's thread, when the machine is in its starting state. */
  void begin() {
    // Requests in flight are part of the state: their completions will be in the log.
    relay.connect(this::noteRequest);
    machine.reissueOutstanding();
    relay.connect(this::emitted);
  }

  private void noteRequest(Output output) {
    if (output instanceof Output.BlockRequest request) {
      unstable.emitted(request);
    }
  }

  private void emitted(Output output) {
    unreleased.add(output);
    noteRequest(output);
  }

  /**
   * Stores and decodes a part of the log, on the link's thread.
   *
   * @return the end of what is stored
   * @throws IOException if it cannot be stored
   * @throws DamagedLog if it isn't what the primary must have sent
   */
  long append(Message.LogBatch batch) throws IOException, DamagedLog {
    file.write(batch.entries(), batch.entries().length, batch.next() - 1);
    bytes.add(batch.entries().length);
    decoder.feed(batch.entries(), 0, batch.entries().length);
    while (true) {
      switch (decoder.next()) {
        case DecodeResult.Header header -> {
          if (header.header().firstLsn() != storedNext) {
            throw new DamagedLog(
                "it begins at lsn %d instead of %d"
                    .formatted(header.header().firstLsn(), storedNext));
          }
        }
        case DecodeResult.Decoded decoded -> arrived(decoded);
        case DecodeResult.Damaged damaged -> throw new DamagedLog(damaged.damage().toString());
        case DecodeResult.NeedMore needMore -> {
          if (storedNext != batch.next() || decoder.pendingBytes() != 0) {
            throw new DamagedLog(
                "a batch ends at lsn %d instead of %d".formatted(storedNext, batch.next()));
          }
          return storedNext;
        }
      }
    }
  }

  private void arrived(DecodeResult.Decoded decoded) {
    storedNext = decoded.lsn() + 1;
    if (decoded.entry() instanceof LogEntry.InputEntry(long point, Input.ClockReading reading)) {
      readingNanos = System.nanoTime();
      readingTicks = reading.ticks();
    }
    arrived.add(new Arrived(decoded.lsn(), decoded.entry()));
  }

  /** Bytes that are no log, or not this one. */
  static final class DamagedLog extends Exception {
    private static final long serialVersionUID = 1L;

    DamagedLog(String what) {
      super("The log that arrived is damaged: " + what + ".");
    }
  }

  /** Replays on the calling thread until {@link #stop} or trouble. */
  void run() {
    try {
      while (true) {
        Arrived next = arrived.take();
        if (next.entry() == null) {
          return;
        }
        if (!replay(next)) {
          return;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean replay(Arrived next) {
    Replayer.Outcome outcome = replayer.apply(next.entry());
    if (outcome instanceof Replayer.Outcome.Diverged d) {
      observer.diverged().accept(d.divergence().toString());
      return false;
    }
    if (outcome instanceof Replayer.Outcome.Interrupted) {
      return false;
    }
    switch (next.entry()) {
      case LogEntry.InputEntry(long point, Input.BlockCompletion completion) ->
          unstable.completed(completion, next.lsn());
      case LogEntry.InputEntry e -> {}
      case LogEntry.OutputMark e -> {
        unreleased.mark(next.lsn());
        unreleased.takeTo(releasedNext);
      }
      case LogEntry.End e -> observer.ended().accept(e.reason());
      case LogEntry.Digest e -> {}
      case LogEntry.EpochChange e -> {}
      case LogEntry.Flush e -> {}
      case LogEntry.SnapshotMark e -> {}
    }
    unstable.stableTo(stableNext);
    observer.replayed().accept(next.lsn() + 1);
    return true;
  }

  /** Ends {@link #run}: at once if {@code now}, otherwise after what has arrived. */
  void stop(boolean now) {
    if (now) {
      arrived.clear();
      replayer.interrupt();
    }
    arrived.add(STOP);
  }

  /**
   * Outputs with marks before {@code releasedNext} have left, writes completed before {@code
   * durableNext} are stable. From any thread.
   */
  void trim(long releasedNext, long durableNext) {
    this.releasedNext = Math.max(this.releasedNext, releasedNext);
    unreleased.takeTo(releasedNext);
    stableNext = Math.max(stableNext, durableNext);
  }

  /** After {@link #run}: outputs that the primary may not have let go. */
  List<Output> unreleased() {
    return unreleased.takeAll();
  }

  /** After {@link #run}: writes that the shared storage may have lost. */
  List<Output.BlockRequest> unstable() {
    unstable.stableTo(stableNext);
    return unstable.toRewrite();
  }

  /** After {@link #run}: what the guest's clock should show now. */
  long ticksNow() {
    return Math.max(
        machine.ticks(),
        readingTicks + (System.nanoTime() - readingNanos) / HostClock.NANOS_PER_TICK);
  }

  /** Bytes received. */
  long bytes() {
    return bytes.sum();
  }

  /** Closes the file. */
  void close() throws IOException {
    file.close();
  }
}
