package io.lockstep.ft.storage;

import java.util.Collection;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The names of a layer's files: its index makes a layer, its data file belongs to it. */
final class LayerNames {
  private static final Pattern FILE = Pattern.compile("layer-(\\d{19})\\.(index|data)");
  private static final int DATA_GROUP = 2;

  private LayerNames() {}

  static String index(long epoch) {
    return "layer-%019d.index".formatted(epoch);
  }

  static String data(long epoch) {
    return "layer-%019d.data".formatted(epoch);
  }

  /** The epochs of which there is an index. */
  static TreeSet<Long> layers(Collection<String> names) {
    return epochs(names, "index");
  }

  /** The epochs of which there is a data file. */
  static TreeSet<Long> dataFiles(Collection<String> names) {
    return epochs(names, "data");
  }

  private static TreeSet<Long> epochs(Collection<String> names, String kind) {
    TreeSet<Long> epochs = new TreeSet<>();
    for (String name : names) {
      Matcher m = FILE.matcher(name);
      if (m.matches() && m.group(DATA_GROUP).equals(kind)) {
        try {
          epochs.add(Long.parseLong(m.group(1)));
        } catch (NumberFormatException e) {
          // Not a number that we gave.
        }
      }
    }
    return epochs;
  }
}
