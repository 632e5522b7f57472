package io.lockstep.replay.recording;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * The file {@code seal} of a recording that was closed: size and CRC32C of every other file.
 * Entries, snapshots and configuration carry checksums of their own, which are always checked; the
 * seal also covers what no entry depends on (padding, the queue's indices), so that a verification
 * finds every changed byte.
 */
final class Seal {
  private static final String FILE = "seal";

  private Seal() {}

  static void write(Path directory) throws IOException {
    Path temporary = directory.resolve(FILE + ".tmp");
    Files.write(temporary, lines(directory));
    Files.move(temporary, directory.resolve(FILE));
  }

  static boolean exists(Path directory) {
    return Files.exists(directory.resolve(FILE));
  }

  /** What differs from the seal, a clause each; empty if all is as it was sealed. */
  static List<String> check(Path directory) throws IOException {
    TreeMap<String, String> sealed =
        byName(
            Files.readAllLines(
                directory.resolve(FILE), java.nio.charset.StandardCharsets.ISO_8859_1));
    TreeMap<String, String> present = byName(lines(directory));
    List<String> out = new ArrayList<>();
    sealed.forEach(
        (name, was) -> {
          String is = present.remove(name);
          if (is == null) {
            out.add(name + " is missing");
          } else if (!is.equals(was)) {
            out.add(name + " has changed");
          }
        });
    present.keySet().forEach(name -> out.add(name + " was added"));
    return out;
  }

  private static TreeMap<String, String> byName(List<String> lines) {
    TreeMap<String, String> out = new TreeMap<>();
    for (String line : lines) {
      int at = line.lastIndexOf(' ');
      out.put(line.substring(at + 1), line.substring(0, Math.max(0, at)));
    }
    return out;
  }

  private static List<String> lines(Path directory) throws IOException {
    List<String> out = new ArrayList<>();
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
        String name = directory.relativize(file).toString().replace('\\', '/');
        if (!name.startsWith(FILE) && !name.startsWith(BlackBoxFiles.PREFIX)) {
          out.add("%d %08x %s".formatted(Files.size(file), checksum(file), name));
        }
      }
    }
    return out;
  }

  private static long checksum(Path file) throws IOException {
    CRC32C crc = new CRC32C();
    byte[] buffer = new byte[1 << 16];
    try (InputStream in = Files.newInputStream(file)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        crc.update(buffer, 0, n);
      }
    }
    return crc.getValue();
  }
}
