package io.lockstep.replay.store;

import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Sees to it that a disk is not filled to its last byte: what is mapped with holes cannot be told
 * "no" when it is written, and other programs want to live, too.
 */
public final class DiskSpace {
  private static final long CHECK_BYTES = 8L << 20;

  private final Path directory;
  private final FileStore disk;
  private final long reserveBytes;
  private long uncheckedBytes = CHECK_BYTES;

  /**
   * For the disk that holds {@code directory}.
   *
   * @param reserveBytes what must stay free
   */
  public DiskSpace(Path directory, long reserveBytes) throws IOException {
    this.directory = directory;
    this.disk = Files.getFileStore(directory);
    this.reserveBytes = reserveBytes;
  }

  /**
   * To be called before {@code length} bytes are written. Asks the operating system now and then.
   *
   * @throws IOException with a sentence for the user if they would use up the reserve
   */
  public void use(long length) throws IOException {
    uncheckedBytes += length;
    if (uncheckedBytes < CHECK_BYTES) {
      return;
    }
    uncheckedBytes = 0;
    if (disk.getUsableSpace() < reserveBytes + length) {
      throw new IOException(
          "the disk that holds %s is full (less than %d MiB left)"
              .formatted(directory, reserveBytes >> 20));
    }
  }
}
