package io.lockstep.cli.image;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Finds the names of the programs that a BusyBox binary contains; it is for another machine, so it
 * can't be asked.
 */
final class BusyBox {
  /**
   * The table of names is sorted and starts with these two; each name ends with a zero byte, the
   * table with two.
   */
  private static final byte[] TABLE_START = {'[', 0, '[', '[', 0};

  private static final Pattern NAME = Pattern.compile("[a-z0-9\\[][a-z0-9_\\[-]{0,31}");
  private static final int FEWEST = 50;
  private static final int MOST = 1000;

  private BusyBox() {}

  /** The applets of the binary, {@code sh} among them. */
  static List<String> applets(byte[] binary) throws ImageException {
    for (int at = find(binary, 0); at >= 0; at = find(binary, at + 1)) {
      List<String> names = table(binary, at);
      if (names.size() >= FEWEST && names.contains("sh") && names.contains("modprobe")) {
        return names;
      }
    }
    throw new ImageException(
        "The BusyBox of this suite has a format that is not known; choose another --suite.");
  }

  private static int find(byte[] binary, int from) {
    for (int at = from; at <= binary.length - TABLE_START.length; at++) {
      int matched = 0;
      while (matched < TABLE_START.length && binary[at + matched] == TABLE_START[matched]) {
        matched++;
      }
      if (matched == TABLE_START.length) {
        return at;
      }
    }
    return -1;
  }

  private static List<String> table(byte[] binary, int from) {
    var names = new ArrayList<String>();
    for (int at = from; at < binary.length && binary[at] != 0 && names.size() < MOST; ) {
      int end = at;
      while (end < binary.length && binary[end] != 0) {
        end++;
      }
      String name = new String(binary, at, end - at, StandardCharsets.ISO_8859_1);
      if (!NAME.matcher(name).matches()) {
        break;
      }
      names.add(name);
      at = end + 1;
    }
    return names;
  }
}
