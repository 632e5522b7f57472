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
    SnapshotFiles snapshots = new SnapshotFiles(directory.resolve(Recording.SNAPSHOTS), runId);
    long pages;
    try (Snapshot first = Snapshot.of(machine, 0, -1, 0)) {
      snapshots.write(first);
      pages = first.pages.length;
    }
    new RecordingInfo(config, machine.definition(), runId, machine.steps(), notes).write(directory);
    LogWriter writer = new LogWriter(header, List.of(store), false, onFailure);
    return new Recorder(directory, machine, snapshots, store, writer, pages);
  }

  /** The journal for the machine's loop. */
  public InputJournal journal() {
    return writer;
  }

  /** Why the log ended early; null if it did not. */
  public IOException failure() {
    return writer.failure();
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
    boolean complete = sinceComplete >= COMPLETE_AFTER_MAX || changedPages > completePages;
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
      throw new CompletionException(e);
    }
  }

  /**
   * Writes what waits, closes the log and seals the recording. The machine's loop has ended or uses
   * another journal.
   */
  @Override
  public void close() throws IOException {
    snapshotWriter.close();
    writer.close();
    store.close();
    if (writer.failure() == null) {
      Seal.write(directory);
    }
  }
}
