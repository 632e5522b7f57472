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
 * machine goes on; {@link #failure} says why, and what was written before can be replayed.
 */
public final class Recorder implements AutoCloseable {
  /**
   * A snapshot is complete again when the changes since the last complete one are more pages than
   * it has, and more than these ...
   */
  private static final int CHANGES_MIN = 1024;

  /** ... or after so many. */
  private static final int COMPLETE_AFTER_MAX = 64;

  /** Memory is copied beside the running guest until no more pages than these are left, or ... */
  private static final int PAGES_LEFT_MAX = 1024;

  /** ... it was gone through this often. */
  private static final int ROUNDS_MAX = 4;

  private final VirtualMachine machine;
  private final Path directory;
  private final SnapshotFiles snapshots;
  private final LogStoreWriter store;
  private final long runId;
  private final Consumer<IOException> onFailure;

  /** Its work is waited for: the longer it takes, the more pages are written once more. */
  private final ExecutorService snapshotCopier =
      Executors.newSingleThreadExecutor(
          task -> Thread.ofPlatform().daemon().name("snapshot-copier").unstarted(task));

  /** Compressing a guest's memory beside the compilers of its code would make its boot longer. */
  private final ExecutorService snapshotWriter =
      Executors.newSingleThreadExecutor(task -> LowPriority.thread("snapshot-writer", task));

  private final AtomicBoolean snapshotUnderWay = new AtomicBoolean();
  private final AtomicBoolean failureTold = new AtomicBoolean();
  private volatile IOException beginFailure;

  /** What was to build on a snapshot that could not be written has nothing to build on. */
  private volatile boolean completeNext;

  /** Set once, when the recording begins. */
  private LogWriter writer;

  private long startPoint;
  private long stoodNanos;
  private int nextSnapshot = 1;
  private int lastSnapshot;
  private int sinceComplete;
  private long completePages;
  private long changedPages;

  private Recorder(
      Path directory,
      VirtualMachine machine,
      long runId,
      SyncPolicy policy,
      Consumer<IOException> onFailure)
      throws IOException {
    Files.createDirectories(directory);
    try (Stream<Path> files = Files.list(directory)) {
      if (files.findAny().isPresent()) {
        throw new RecordingException(directory + " is not empty, choose a new directory");
      }
    }
    this.directory = directory;
    this.machine = machine;
    this.runId = runId;
    this.onFailure = onFailure;
    this.store = new LogStoreWriter(directory.resolve(Recording.LOG), policy);
    this.snapshots = new SnapshotFiles(directory.resolve(Recording.SNAPSHOTS), runId);
  }

  /**
   * Starts a recording: writes what the machine is and a complete snapshot of it. To be called on
   * the vCPU thread, or before the machine's loop runs.
   *
   * @param directory new or empty
   * @param runId any number that other runs do not have
   * @param notes kept in the recording, see {@link RecordingInfo#notes}
   * @param onFailure called once if the recording ends early, on another thread
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
    Recorder recorder = new Recorder(directory, machine, runId, policy, onFailure);
    SnapshotCopier copier = new SnapshotCopier(machine, true);
    boolean begun = false;
    try {
      recorder.begin(copier, config, notes);
      begun = true;
    } finally {
      if (!begun) {
        recorder.giveUp(copier);
      }
    }
    return recorder;
  }

  /**
   * Starts recording a machine that runs. Its memory is copied while it runs; the guest stands only
   * while what it has written meanwhile is copied. Must not be called on the vCPU thread.
   *
   * @return the recorder when the recording has begun; fails with an {@link IOException} that has a
   *     sentence for the user, or with an {@link IllegalStateException} if the machine has stopped
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
    Recorder recorder;
    try {
      recorder = new Recorder(directory, loop.machine(), runId, policy, onFailure);
    } catch (IOException e) {
      return CompletableFuture.failedFuture(e);
    }
    SnapshotCopier copier = new SnapshotCopier(loop.machine(), true);
    return recorder
        .copyWhileItRuns(loop, copier, 1)
        .thenCompose(
            copied ->
                loop.execute(
                    () -> {
                      long stood = System.nanoTime();
                      recorder.begin(copier, config, notes);
                      loop.useJournal(recorder.journal());
                      recorder.stoodNanos = System.nanoTime() - stood;
                      return recorder;
                    }))
        .whenComplete(
            (begun, failure) -> {
              if (failure != null) {
                recorder.giveUp(copier);
              }
            });
  }

  private CompletableFuture<Void> copyWhileItRuns(VcpuLoop loop, SnapshotCopier copier, int round) {
    return loop.execute(copier::mark)
        .thenComposeAsync(
            pages -> {
              try {
                copier.copyMarked();
              } catch (RecordingException e) {
                return CompletableFuture.failedFuture(e);
              }
              return pages <= PAGES_LEFT_MAX || round == ROUNDS_MAX
                  ? CompletableFuture.completedFuture(null)
                  : copyWhileItRuns(loop, copier, round + 1);
            },
            snapshotCopier);
  }

  /**
   * Ends the recording of a machine that runs on. {@link #close} after it has completed, also if it
   * has failed because the machine has stopped.
   */
  public CompletableFuture<Void> detach(VcpuLoop loop) {
    return loop.execute(
        () -> {
          loop.digestNow();
          end();
          loop.useJournal(InputJournal.NONE);
          return null;
        });
  }

  /** The recording has not begun: leaves no trace. */
  private void giveUp(SnapshotCopier copier) {
    copier.close();
    snapshotCopier.shutdown();
    snapshotWriter.shutdown();
    try {
      Files.deleteIfExists(directory.resolve(Recording.LOG));
      Files.deleteIfExists(directory);
    } catch (IOException e) {
      // An empty directory stays.
    }
  }

  /**
   * Begins at the machine's present point. The first snapshot is written while the machine runs
   * already, and last of all the file that makes the directory a recording.
   */
  private void begin(SnapshotCopier copier, MachineConfig config, Map<String, String> notes)
      throws IOException {
    Snapshot first = copier.finish(0, -1, 0);
    completePages = first.pages.length;
    startPoint = machine.steps();
    RecordingInfo info = new RecordingInfo(config, machine.definition(), runId, startPoint, notes);
    writer =
        new LogWriter(new LogHeader(0, startPoint, runId), List.of(store), false, this::failed);
    snapshotWriter.execute(
        () -> {
          try (first) {
            snapshots.write(first);
            info.write(directory);
          } catch (IOException e) {
            beginFailure = e;
            failed(e);
          }
        });
  }

  private void end() {
    writer.append(new LogEntry.End(machine.steps(), LogEntry.EndReason.STOPPED));
  }

  private void failed(IOException e) {
    if (failureTold.compareAndSet(false, true)) {
      onFailure.accept(e);
    }
  }

  /** The journal for the machine's loop. */
  public InputJournal journal() {
    return writer;
  }

  /** Where the recording is. */
  public Path directory() {
    return directory;
  }

  /** The execution point at which it begins. */
  public long startPoint() {
    return startPoint;
  }

  /** How long the guest stood when the recording of a running machine began. */
  public long stoodNanos() {
    return stoodNanos;
  }

  /** How many entries are in the log's files. */
  public long entriesWritten() {
    return writer.writtenLsn() + 1;
  }

  /** Why the recording ended early; null if it did not. */
  public IOException failure() {
    return beginFailure != null ? beginFailure : writer.failure();
  }

  /**
   * Takes a snapshot between two steps; the guest stands only while the pages are copied that it
   * has written in the last moments. Copied and written on another thread.
   *
   * @return the snapshot's number when it is written; -1 at once if the one before is not written
   *     yet, or if the recording has failed; fails with an {@link IOException} if it cannot be
   *     written, which does no harm to the recording
   */
  public CompletableFuture<Integer> snapshot(VcpuLoop loop) {
    if (failure() != null || !snapshotUnderWay.compareAndSet(false, true)) {
      return CompletableFuture.completedFuture(-1);
    }
    boolean complete =
        completeNext
            || sinceComplete >= COMPLETE_AFTER_MAX
            || changedPages > Math.max(completePages, CHANGES_MIN);
    SnapshotCopier copier = new SnapshotCopier(machine, complete);
    return copyWhileItRuns(loop, copier, 1)
        .thenCompose(copied -> loop.execute(() -> capture(loop, copier, complete)))
        .thenApplyAsync(this::write, snapshotWriter)
        .whenComplete(
            (number, failure) -> {
              copier.close();
              completeNext = failure != null;
              snapshotUnderWay.set(false);
            });
  }

  private Snapshot capture(VcpuLoop loop, SnapshotCopier copier, boolean complete)
      throws IOException {
    loop.digestNow();
    int number = nextSnapshot;
    // The mark is appended behind the copy, which can fail; it says what the mark's lsn will be.
    long lsn = writer.nextLsn();
    Snapshot snapshot = copier.finish(number, complete ? -1 : lastSnapshot, lsn + 1);
    writer.append(new LogEntry.SnapshotMark(machine.steps(), number));
    nextSnapshot++;
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
    try {
      snapshots.write(snapshot);
      return snapshot.number;
    } catch (IOException e) {
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
    snapshotCopier.close();
    snapshotWriter.close();
    if (!writer.ended() && failure() == null) {
      writer.append(new LogEntry.Digest(machine.steps(), machine.digest()));
      end();
    }
    writer.close();
    IOException closing = null;
    try {
      store.close();
    } catch (IOException e) {
      closing = e;
    }
    IOException failure = failure() != null ? failure() : closing;
    if (failure != null) {
      throw new IOException(failure.getMessage(), failure);
    }
    Seal.write(directory);
  }
}
