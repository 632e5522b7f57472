package io.lockstep.host.pair;

import io.lockstep.ft.pair.LogFile;
import io.lockstep.replay.store.LogStoreWriter;
import io.lockstep.replay.store.SyncPolicy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** The logs that a secondary receives, one directory an attach. */
public final class ReplicaLogs implements LogFile.Factory, AutoCloseable {
  private final Path root;
  private final Optional<ScratchDirectory> temporary;

  /**
   * Logs under a directory.
   *
   * @param directory where; empty for a temporary directory that goes with this object
   */
  public ReplicaLogs(Optional<Path> directory) throws IOException {
    temporary =
        directory.isPresent()
            ? Optional.empty()
            : Optional.of(ScratchDirectory.create("lockstep-log-"));
    root = temporary.map(ScratchDirectory::path).or(() -> directory).orElseThrow();
    Files.createDirectories(root);
    warmUp();
  }

  /**
   * Writes a log that nobody reads: the store's libraries take a second to load the first time, and
   * the primary must not wait for that in an attach.
   */
  private void warmUp() throws IOException {
    Path directory = root.resolve("warm-up-" + ProcessHandle.current().pid());
    try (LogStoreWriter writer = new LogStoreWriter(directory, SyncPolicy.NEVER)) {
      writer.write(new byte[] {0}, 1, 0);
    } finally {
      ScratchDirectory.remove(directory);
    }
  }

  @Override
  public LogFile create(long attachId) throws IOException {
    Path directory = root.resolve("attach-" + Long.toUnsignedString(attachId));
    LogStoreWriter writer = new LogStoreWriter(directory, SyncPolicy.NEVER);
    return new LogFile() {
      @Override
      public void write(byte[] bytes, int length, long lastLsn) throws IOException {
        writer.write(bytes, length, lastLsn);
      }

      @Override
      public void close() throws IOException {
        writer.close();
      }
    };
  }

  @Override
  public void close() {
    temporary.ifPresent(ScratchDirectory::close);
  }
}
