package io.lockstep.replay.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDate;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.stream.Stream;

/** The files of a queue. */
final class LogStoreFiles {
  private LogStoreFiles() {}

  /** All of them, in order. */
  static List<Path> in(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(directory)) {
      return files
          .filter(f -> f.getFileName().toString().endsWith(QueueFormat.SUFFIX))
          .sorted()
          .toList();
    }
  }

  /** The name of the n-th file. */
  static String name(int n) {
    return LocalDate.ofEpochDay(n).format(DateTimeFormatter.BASIC_ISO_DATE) + QueueFormat.SUFFIX;
  }

  /** Cuts a file behind its last excerpt and the header that says so. */
  static void trim(Path file) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      ByteBuffer header = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN);
      long at = 0;
      while (true) {
        header.clear();
        if (channel.read(header, at) < 4) {
          return;
        }
        int value = header.getInt(0);
        int length = value & QueueFormat.LENGTH_MASK;
        if (length == 0) {
          channel.truncate(at + 4);
          return;
        }
        at += 4 + (length + 3L & ~3L);
      }
    }
  }
}
