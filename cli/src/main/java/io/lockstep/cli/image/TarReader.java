package io.lockstep.cli.image;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Reads the tar archives that Debian packages are made of: POSIX ustar with GNU or pax extensions
 * for long names and large numbers (deb(5)). Call {@link #next()}, then read at most the entry's
 * size from {@link #content()}.
 */
final class TarReader {
  private static final int BLOCK = 512;

  /** A limit for extension headers, which are held in memory. */
  private static final long EXTENSION_LIMIT = 1 << 20;

  enum Kind {
    FILE,
    HARD_LINK,
    SYMBOLIC_LINK,
    CHARACTER_DEVICE,
    DIRECTORY,
    OTHER
  }

  /** One member; sizes in bytes, time in seconds since 1970. */
  record Entry(
      Kind kind,
      String name,
      String linkTarget,
      long size,
      int mode,
      int uid,
      int gid,
      long time,
      int major,
      int minor) {}

  private final InputStream in;
  private long left;
  private int padding;

  TarReader(InputStream in) {
    this.in = in;
  }

  /** The next member, or nothing at the end of the archive. */
  Optional<Entry> next() throws IOException {
    var extensions = new TreeMap<String, String>();
    while (true) {
      skipContent();
      byte[] header = in.readNBytes(BLOCK);
      if (header.length == 0 || (header.length == BLOCK && allZero(header))) {
        return Optional.empty();
      }
      if (header.length < BLOCK) {
        throw new EOFException("archive ends inside a header");
      }
      check(header);
      long size = number(header, 124, 12);
      left = size;
      padding = (int) (-size & (BLOCK - 1));
      switch (header[156]) {
        case 'L' -> extensions.put("path", extensionText(size));
        case 'K' -> extensions.put("linkpath", extensionText(size));
        case 'x' -> parsePax(extensionText(size), extensions);
        case 'g' -> {} // Archive-wide comments; skipped with the next header.
        default -> {
          return Optional.of(entry(header, size, extensions));
        }
      }
    }
  }

  private Entry entry(byte[] header, long size, Map<String, String> extensions) {
    String name = text(header, 0, 100);
    boolean posix = text(header, 257, 6).equals("ustar") && header[263] == '0';
    String prefix = posix ? text(header, 345, 155) : "";
    if (!prefix.isEmpty()) {
      name = prefix + "/" + name;
    }
    if (extensions.containsKey("size")) {
      left = Long.parseLong(extensions.get("size"));
      padding = (int) (-left & (BLOCK - 1));
    }
    return new Entry(
        kind(header[156]),
        extensions.getOrDefault("path", name),
        extensions.getOrDefault("linkpath", text(header, 157, 100)),
        extensions.containsKey("size") ? left : size,
        (int) number(header, 100, 8) & 07777,
        (int) number(header, 108, 8),
        (int) number(header, 116, 8),
        number(header, 136, 12),
        (int) number(header, 329, 8),
        (int) number(header, 337, 8));
  }

  private static Kind kind(byte flag) {
    return switch (flag) {
      case 0, '0', '7' -> Kind.FILE;
      case '1' -> Kind.HARD_LINK;
      case '2' -> Kind.SYMBOLIC_LINK;
      case '3' -> Kind.CHARACTER_DEVICE;
      case '5' -> Kind.DIRECTORY;
      default -> Kind.OTHER;
    };
  }

  /** The bytes of the member that was returned last. */
  InputStream content() {
    return in;
  }

  /** Tells the reader that the content of the current member was read in full. */
  void consumed() {
    left = 0;
  }

  private void skipContent() throws IOException {
    in.skipNBytes(left + padding);
    left = 0;
    padding = 0;
  }

  private String extensionText(long size) throws IOException {
    if (size > EXTENSION_LIMIT) {
      throw new IOException("archive has an extension header of " + size + " bytes");
    }
    byte[] bytes = in.readNBytes((int) size);
    left = 0;
    int end = bytes.length;
    while (end > 0 && bytes[end - 1] == 0) {
      end--;
    }
    return new String(bytes, 0, end, StandardCharsets.UTF_8);
  }

  /**
   * Records of the form {@code LENGTH KEY=VALUE\n}; lengths are in bytes, and Debian's names are
   * plain ASCII.
   */
  private static void parsePax(String text, Map<String, String> extensions) {
    for (String record : text.split("\n")) {
      int blank = record.indexOf(' ');
      int equals = record.indexOf('=');
      if (blank > 0 && equals > blank) {
        extensions.put(record.substring(blank + 1, equals), record.substring(equals + 1));
      }
    }
  }

  private static boolean allZero(byte[] block) {
    for (byte b : block) {
      if (b != 0) {
        return false;
      }
    }
    return true;
  }

  private static void check(byte[] header) throws IOException {
    long expected = number(header, 148, 8);
    long sum = 0;
    for (int i = 0; i < BLOCK; i++) {
      sum += i >= 148 && i < 156 ? ' ' : header[i] & 0xff;
    }
    if (sum != expected) {
      throw new IOException("archive has a damaged header");
    }
  }

  private static String text(byte[] header, int offset, int length) {
    int end = offset;
    while (end < offset + length && header[end] != 0) {
      end++;
    }
    return new String(header, offset, end - offset, StandardCharsets.UTF_8);
  }

  /** Octal text, or big-endian binary where the first bit is set (GNU, for large values). */
  private static long number(byte[] header, int offset, int length) {
    if ((header[offset] & 0x80) != 0) {
      long value = header[offset] & 0x7f;
      for (byte b : Arrays.copyOfRange(header, offset + 1, offset + length)) {
        value = value << 8 | (b & 0xff);
      }
      return value;
    }
    String digits = text(header, offset, length).strip();
    return digits.isEmpty() ? 0 : Long.parseLong(digits, 8);
  }
}
