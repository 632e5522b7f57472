package io.lockstep.ft.storage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Small files that are there as a whole or not at all, also after a crash. */
final class DurableFiles {
  private DurableFiles() {}

  /** Writes a new file and waits until its content is stable; its name is not, yet. */
  static void writeNew(Path file, byte[] content) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      ByteBuffer buffer = ByteBuffer.wrap(content);
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
      channel.force(true);
    }
  }

  /** Waits until the names in a directory are stable. */
  static void forceDirectory(Path directory) throws IOException {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  /** At most {@code max} bytes from the start of a file. */
  static byte[] readStart(Path file, int max) throws IOException {
    try (var in = Files.newInputStream(file)) {
      return in.readNBytes(max);
    }
  }

  /** Deletes; that it is gone already is no error. */
  static void deleteIfThere(Path file) throws IOException {
    try {
      Files.delete(file);
    } catch (NoSuchFileException e) {
      // Another was quicker.
    }
  }
}
