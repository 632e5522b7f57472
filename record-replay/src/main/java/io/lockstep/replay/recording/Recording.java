package io.lockstep.replay.recording;

import io.lockstep.replay.MachineFactory;
import io.lockstep.replay.store.LogStoreReader;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.port.OutputSink;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A recording on disk, opened for reading. Nothing here changes it. */
public final class Recording {
  static final String LOG = "log";
  static final String SNAPSHOTS = "snapshots";

  private final Path directory;
  private final RecordingInfo info;
  private final SnapshotFiles snapshots;
  private final Map<Integer, SnapshotInfo> index;

  private Recording(
      Path directory,
      RecordingInfo info,
      SnapshotFiles snapshots,
      Map<Integer, SnapshotInfo> index) {
    this.directory = directory;
    this.info = info;
    this.snapshots = snapshots;
    this.index = index;
  }

  /**
   * Opens the recording in {@code directory}.
   *
   * @throws RecordingException with a sentence for the user if it is none, or its description is
   *     damaged
   */
  public static Recording open(Path directory) throws IOException {
    RecordingInfo info = RecordingInfo.read(directory);
    SnapshotFiles snapshots = new SnapshotFiles(directory.resolve(SNAPSHOTS), info.runId());
    return new Recording(directory, info, snapshots, snapshots.list());
  }

  /** Where it is. */
  public Path directory() {
    return directory;
  }

  /** What was recorded. */
  public RecordingInfo info() {
    return info;
  }

  /** The snapshots by number. */
  public Map<Integer, SnapshotInfo> snapshots() {
    return index;
  }

  /** Reads the log from its first entry. */
  public LogStoreReader log() throws IOException {
    return new LogStoreReader(directory.resolve(LOG));
  }

  /**
   * To be called when the first entry was asked for.
   *
   * @throws RecordingException if the log has no header, one of another version, or another run's
   */
  public void check(LogStoreReader log) throws RecordingException {
    if (log.header() == null) {
      throw new RecordingException(
          "nothing of %s can be replayed: %s".formatted(directory, log.state()));
    }
    if (log.header().runId() != info.runId()) {
      throw new RecordingException(
          "the log in " + directory + " is of another run than the snapshots");
    }
  }

  /** Whether the recording was closed in an orderly way, so that {@link #changedFiles} can tell. */
  public boolean isSealed() {
    return Seal.exists(directory);
  }

  /**
   * Files that are not as they were when the recording was closed, a clause each. Reads all files.
   */
  public List<String> changedFiles() throws IOException {
    return Seal.check(directory);
  }

  /**
   * Makes a machine and puts it into the state of a snapshot.
   *
   * @param number a key of {@link #snapshots}
   * @throws RecordingException if the machine is of another kind, or the snapshot is damaged
   */
  public VirtualMachine restore(MachineFactory factory, OutputSink outputs, int number)
      throws IOException {
    VirtualMachine machine = factory.create(info.config(), outputs);
    info.check(machine.definition());
    SnapshotInfo snapshot = index.get(number);
    if (snapshot == null) {
      throw new RecordingException(
          "there is no usable snapshot %d in %s; there are %s"
              .formatted(number, directory, index.keySet()));
    }
    snapshots.load(number, machine);
    if (machine.steps() != snapshot.point()) {
      throw new RecordingException(
          "snapshot %d is of point %d but says %d"
              .formatted(number, machine.steps(), snapshot.point()));
    }
    return machine;
  }
}
