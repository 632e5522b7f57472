package io.lockstep.replay.recording;

import io.lockstep.replay.LogWriter;
import io.lockstep.replay.live.InputJournal;
import io.lockstep.replay.live.VcpuLoop;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.log.LogHeader;
import io.lockstep.replay.store.LogStoreWriter;
import io.lockstep.replay.store.SyncPolicy;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.VirtualMachine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Records a machine, from the point where it stands, into a new directory. {@link #journal} is to
 * be the journal of the machine's {@link VcpuLoop}. When the disk fails the recording ends and the
 * machine goes on; {@link #failure} says why.
 */
public final class Recorder implements AutoCloseable {
  /** A snapshot is complete again when the changes since the last complete one are more than it. */
  private static final int COMPLETE_AFTER_MAX = 64;

  private final VirtualMachine machine;
  private final SnapshotFiles snapshots;
  private final LogStoreWriter store;
  private final LogWriter writer;
  private final ExecutorService snapshotWriter =
      Executors.newSingleThreadExecutor(
          task -> Thread.ofPlatform().daemon().name("snapshot-writer").unstarted(task));
  private final AtomicBoolean snapshotUnderWay = new AtomicBoolean();
  private final Path directory;
  private volatile IOException beginFailure;

  /** What was to build on a snapshot that could not be written has nothing to build on. */
  private volatile boolean completeNext;

  private int nextSnapshot = 1;
  private int lastSnapshot;
  private int sinceComplete;
  private long completePages;
  private long changedPages;

  private Recorder(
      Path directory,
      VirtualMachine machine,
      SnapshotFiles snapshots,
      LogStoreWriter store,
      LogWriter writer,
      long completePages) {
    this.directory = directory;
    this.machine = machine;
    this.snapshots = snapshots;
    this.store = store;
    this.writer = writer;
    this.completePages = completePages;
  }

  /**
   * Starts a recording: writes what the machine is and a complete snapshot of it. To be called on
   * the vCPU thread, or before the machine's loop runs.
   *
   * @param directory new or empty
   * @param runId any number that other runs do not have
   * @param notes kept in the recording, see {@link RecordingInfo#notes}
   * @param onFailure called if the log cannot be written any more, on another thread
   * @throws IOException with a sentence for the user
   */
  public static Recorder start(
      Path directory,
      VirtualMachine machine,
      MachineConfig config,
      long runId,
      Map<String, String> notes,
      SyncPolicy policy,
      Consumer<IOException> onFailure)
      throws IOException {
    Files.createDirectories(directory);
    try (Stream<Path> files = Files.list(directory)) {
      if (files.findAny().isPresent()) {
        throw new RecordingException(directory + " is not empty, choose a new directory");
      }
    }
    LogHeader header = new LogHeader(0, machine.steps(), runId);
    LogStoreWriter store = new LogStoreWriter(directory.resolve(Recording.LOG), policy);
    RecordingInfo info =
        new RecordingInfo(config, machine.definition(), runId, machine.steps(), notes);
    SnapshotFiles snapshots = new SnapshotFiles(directory.resolve(Recording.SNAPSHOTS), runId);
    Snapshot first = Snapshot.of(machine, 0, -1, 0);
    LogWriter writer = new LogWriter(header, List.of(store), false, onFailure);
    Recorder recorder =
        new Recorder(directory, machine, snapshots, store, writer, first.pages.length);
    recorder.begin(first, info, onFailure);
    return recorder;
  }

  /**
   * Starts recording a machine that runs: the guest stands while its memory is copied.
   *
   * @see #start
   */
  public static CompletableFuture<Recorder> attach(
      VcpuLoop loop,
      Path directory,
      MachineConfig config,
      long runId,
      Map<String, String> notes,
      SyncPolicy policy,
      Consumer<IOException> onFailure) {
    return loop.execute(
        () -> {
          Recorder recorder =
              start(directory, loop.machine(), config, runId, notes, policy, onFailure);
          loop.useJournal(recorder.journal());
          return recorder;
        });
  }

  /** Ends the recording of a machine that runs on. {@link #close} after it has completed. */
  public CompletableFuture<Void> detach(VcpuLoop loop) {
    return loop.execute(
        () -> {
          loop.digestNow();
          writer.append(new LogEntry.End(machine.steps(), LogEntry.EndReason.STOPPED));
          loop.useJournal(InputJournal.NONE);
          return null;
        });
  }

  /**
   * Writes the first snapshot while the machine runs already, and last of all the file that makes
   * the directory a recording.
   */
  private void begin(Snapshot first, RecordingInfo info, Consumer<IOException> onFailure) {
    snapshotWriter.execute(
        () -> {
          try (first) {
            snapshots.write(first);
            info.write(directory);
          } catch (IOException e) {
            beginFailure = e;
            onFailure.accept(e);
          }
        });
  }

  /** The journal for the machine's loop. */
  public InputJournal journal() {
    return writer;
  }

  /** Why the log ended early; null if it did not. */
  public IOException failure() {
    return beginFailure != null ? beginFailure : writer.failure();
  }

  /**
   * Takes a snapshot between two steps; the guest stands while its changed pages are copied.
   * Written on another thread.
   *
   * @return the snapshot's number when it is written; -1 at once if the one before is not written
   *     yet
   */
  public CompletableFuture<Integer> snapshot(VcpuLoop loop) {
    if (!snapshotUnderWay.compareAndSet(false, true)) {
      return CompletableFuture.completedFuture(-1);
    }
    return loop.execute(() -> capture(loop))
        .thenApplyAsync(this::write, snapshotWriter)
        .whenComplete((number, failure) -> snapshotUnderWay.set(false));
  }

  private Snapshot capture(VcpuLoop loop) {
    loop.digestNow();
    boolean complete =
        completeNext || sinceComplete >= COMPLETE_AFTER_MAX || changedPages > completePages;
    completeNext = false;
    int number = nextSnapshot++;
    long lsn = writer.append(new LogEntry.SnapshotMark(machine.steps(), number));
    Snapshot snapshot = Snapshot.of(machine, number, complete ? -1 : lastSnapshot, lsn + 1);
    lastSnapshot = number;
    if (complete) {
      completePages = snapshot.pages.length;
      changedPages = 0;
      sinceComplete = 0;
    } else {
      changedPages += snapshot.pages.length;
      sinceComplete++;
    }
    return snapshot;
  }

  private int write(Snapshot snapshot) {
    try (snapshot) {
      snapshots.write(snapshot);
      return snapshot.number;
    } catch (IOException e) {
      completeNext = true;
      throw new CompletionException(e);
    }
  }

  /**
   * Writes what waits, closes the log and seals the recording. On the thread that ran the machine's
   * loop, after it has ended, or after {@link #detach}.
   *
   * @throws IOException if the recording is incomplete, with the reason
   */
  @Override
  public void close() throws IOException {
    snapshotWriter.close();
    if (!writer.ended() && failure() == null) {
      writer.append(new LogEntry.End(machine.steps(), LogEntry.EndReason.STOPPED));
    }
    writer.close();
    store.close();
    IOException failure = failure();
    if (failure != null) {
      throw new IOException(failure.getMessage(), failure);
    }
    Seal.write(directory);
  }
}
