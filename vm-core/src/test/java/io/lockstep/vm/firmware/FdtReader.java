package io.lockstep.vm.firmware;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Reads a flattened device tree back: properties by path, such as {@code /cpus/cpu@0/reg}. Written
 * from the specification, not from the writer.
 */
final class FdtReader {
  private FdtReader() {}

  static Map<String, byte[]> read(byte[] blob) {
    ByteBuffer b = ByteBuffer.wrap(blob);
    require(b.getInt(0) == 0xd00dfeed, "magic");
    require(b.getInt(4) <= blob.length, "total size");
    require(b.getInt(20) == 17 && b.getInt(24) == 16, "version");
    require(b.getInt(8) + b.getInt(36) <= b.getInt(12), "structure before strings");
    require(b.getInt(12) + b.getInt(32) <= b.getInt(4), "strings at the end");
    require(b.getInt(16) % 8 == 0 && b.getLong(b.getInt(16)) == 0, "reservations");
    Map<String, byte[]> properties = new LinkedHashMap<>();
    Deque<String> path = new ArrayDeque<>();
    int at = b.getInt(8);
    while (true) {
      int token = b.getInt(at);
      at += 4;
      switch (token) {
        case 1 -> {
          String name = string(blob, at);
          path.addLast(path.isEmpty() ? "" : path.getLast() + "/" + name);
          at = align(at + name.length() + 1);
          require(properties.put(path.getLast() + "/", new byte[0]) == null, "node twice: " + name);
        }
        case 2 -> path.removeLast();
        case 3 -> {
          int length = b.getInt(at);
          String name = string(blob, b.getInt(12) + b.getInt(at + 4));
          byte[] value = Arrays.copyOfRange(blob, at + 8, at + 8 + length);
          require(properties.put(path.getLast() + "/" + name, value) == null, "twice: " + name);
          at = align(at + 8 + length);
        }
        case 9 -> {
          require(path.isEmpty() && at == b.getInt(8) + b.getInt(36), "end");
          return properties;
        }
        default -> throw new AssertionError("token " + token);
      }
    }
  }

  private static void require(boolean condition, String what) {
    if (!condition) {
      throw new AssertionError("device tree: " + what);
    }
  }

  private static String string(byte[] blob, int at) {
    int end = at;
    while (blob[end] != 0) {
      end++;
    }
    return new String(blob, at, end - at, US_ASCII);
  }

  private static int align(int at) {
    return at + 3 & -4;
  }
}
