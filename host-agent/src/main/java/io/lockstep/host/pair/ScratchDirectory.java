package io.lockstep.host.pair;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.stream.Stream;

/**
 * A temporary directory of this process, which goes with it: on {@link #close}, or, if the process
 * was killed, as soon as another one makes a directory of the same kind. A lock on a file in it
 * says whether its process is still there; the kernel gives that back however a process ends.
 */
public final class ScratchDirectory implements AutoCloseable {
  private static final String LOCK = "in-use";

  private final Path path;
  private final FileChannel channel;

  private ScratchDirectory(Path path, FileChannel channel) {
    this.path = path;
    this.channel = channel;
  }

  /**
   * Makes a directory in the place for temporary ones, and removes those that the dead left there.
   *
   * @param prefix the kind: the beginning of its name
   */
  public static ScratchDirectory create(String prefix) throws IOException {
    return create(Path.of(System.getProperty("java.io.tmpdir")), prefix);
  }

  static ScratchDirectory create(Path parent, String prefix) throws IOException {
    removeAbandoned(parent, prefix);
    while (true) {
      Path path = Files.createTempDirectory(parent, prefix);
      FileChannel channel =
          FileChannel.open(path.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      if (lock(channel)) {
        return new ScratchDirectory(path, channel);
      }
      // Between the two lines above somebody took it for abandoned, and removes it.
      channel.close();
    }
  }

  /** Where it is. */
  public Path path() {
    return path;
  }

  private static void removeAbandoned(Path parent, String prefix) {
    try (DirectoryStream<Path> all = Files.newDirectoryStream(parent, prefix + "*")) {
      for (Path directory : all) {
        removeIfAbandoned(directory);
      }
    } catch (IOException e) {
      // They are only in nobody's way.
    }
  }

  private static void removeIfAbandoned(Path directory) {
    try (FileChannel channel =
        FileChannel.open(directory.resolve(LOCK), StandardOpenOption.WRITE)) {
      if (lock(channel)) {
        remove(directory);
      }
    } catch (IOException e) {
      // Another user's, or just being made.
    }
  }

  private static boolean lock(FileChannel channel) throws IOException {
    try {
      FileLock lock = channel.tryLock();
      return lock != null;
    } catch (OverlappingFileLockException e) {
      return false;
    }
  }

  /** Removes a directory with all that is in it, as far as that is possible. */
  static void remove(Path directory) {
    try (Stream<Path> all = Files.walk(directory)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    } catch (IOException e) {
      // What stays is a few files in a directory for temporary ones.
    }
  }

  /** Removes it with all that is in it. */
  @Override
  public void close() {
    remove(path);
    try {
      channel.close();
    } catch (IOException e) {
      // The lock goes with the process.
    }
  }
}
