package io.lockstep.cli.image;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The root file system of a guest while it is put together. Paths have no leading slash; the root
 * itself is the empty path. A path through a symbolic link to a directory means the directory, so
 * that {@code bin/sh} lands in {@code usr/bin} of a merged tree.
 */
final class FileTree {
  private static final int LINK_LIMIT = 40;

  /** What is at a path. Modes are permission bits (07777); times are seconds since 1970. */
  sealed interface Node {
    Owner owner();

    int mode();

    long time();
  }

  /** Who a file belongs to, by number. */
  record Owner(int uid, int gid) {
    static final Owner ROOT = new Owner(0, 0);
  }

  record Directory(int mode, Owner owner, long time) implements Node {}

  /** A regular file. Two paths with the same instance are hard links of one file. */
  record Regular(Content content, int mode, Owner owner, long time) implements Node {}

  record SymbolicLink(String target, Owner owner, long time) implements Node {
    @Override
    public int mode() {
      return 0777;
    }
  }

  record CharacterDevice(int major, int minor, int mode, Owner owner, long time) implements Node {}

  private final TreeMap<String, Node> nodes = new TreeMap<>();

  /** The time that files made by the builder get. */
  private long time;

  FileTree(long time) {
    this.time = time;
    nodes.put("", new Directory(0755, Owner.ROOT, time));
  }

  void setTime(long time) {
    this.time = time;
  }

  /** Everything in the tree; a directory comes before what it holds. */
  SortedMap<String, Node> nodes() {
    return Collections.unmodifiableSortedMap(nodes);
  }

  /**
   * Puts a node at a path, making the directories above it. An existing directory keeps its
   * contents.
   */
  void put(String path, Node node) {
    String place = resolveParent(normalize(path));
    if (node instanceof Directory && directoryAt(place)) {
      return; // Also when it is a link to one: packages ship /lib as a directory now and then.
    }
    if (nodes.get(place) instanceof Directory && !(node instanceof Directory)) {
      nodes.subMap(place + "/", place + "0").clear();
    }
    nodes.put(place, node);
  }

  private boolean directoryAt(String place) {
    return nodes.get(resolve(place, 0)) instanceof Directory;
  }

  private String resolveParent(String path) {
    int slash = path.lastIndexOf('/');
    if (slash < 0) {
      return path;
    }
    String parent = resolve(path.substring(0, slash), 0);
    makeDirectories(parent);
    return join(parent, path.substring(slash + 1));
  }

  private void makeDirectories(String path) {
    for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      nodes.putIfAbsent(path.substring(0, slash), new Directory(0755, Owner.ROOT, time));
    }
    if (!path.isEmpty()) {
      nodes.putIfAbsent(path, new Directory(0755, Owner.ROOT, time));
    }
  }

  /** Follows the symbolic links in a path, the last part included, as far as it exists. */
  private String resolve(String path, int links) {
    if (links > LINK_LIMIT) {
      return path;
    }
    String done = "";
    List<String> parts = parts(path);
    for (int i = 0; i < parts.size(); i++) {
      String here = join(done, parts.get(i));
      if (nodes.get(here) instanceof SymbolicLink link) {
        String base = link.target().startsWith("/") ? "" : done;
        var rest = new StringBuilder(join(base, link.target()));
        for (String part : parts.subList(i + 1, parts.size())) {
          rest.append('/').append(part);
        }
        return resolve(normalize(rest.toString()), links + 1);
      }
      done = here;
    }
    return done;
  }

  private static List<String> parts(String path) {
    return path.isEmpty() ? List.of() : List.of(path.split("/"));
  }

  private static String join(String directory, String name) {
    return directory.isEmpty() ? name : directory + "/" + name;
  }

  /** Removes {@code .}, {@code ..} and doubled slashes; a path cannot lead out of the tree. */
  static String normalize(String path) {
    var kept = new ArrayList<String>();
    for (String part : path.split("/")) {
      if (part.equals("..")) {
        if (!kept.isEmpty()) {
          kept.removeLast();
        }
      } else if (!part.isEmpty() && !part.equals(".")) {
        kept.add(part);
      }
    }
    return String.join("/", kept);
  }

  /** What is at the path itself: a symbolic link is not followed. */
  Optional<Node> at(String path) {
    String normal = normalize(path);
    int slash = normal.lastIndexOf('/');
    String place =
        slash < 0
            ? normal
            : join(resolve(normal.substring(0, slash), 0), normal.substring(slash + 1));
    return Optional.ofNullable(nodes.get(place));
  }

  /** The regular file that the path leads to, links followed. */
  Optional<Regular> file(String path) {
    return nodes.get(resolve(normalize(path), 0)) instanceof Regular file
        ? Optional.of(file)
        : Optional.empty();
  }

  /** Whether the path leads to something, links followed. */
  boolean exists(String path) {
    return nodes.containsKey(resolve(normalize(path), 0));
  }

  /** The regular files directly or deeper below a directory. */
  Map<String, Regular> filesBelow(String directory) {
    String place = resolve(normalize(directory), 0);
    var files = new TreeMap<String, Regular>();
    nodes
        .subMap(place + "/", place + "0")
        .forEach(
            (path, node) -> {
              if (node instanceof Regular file) {
                files.put(path, file);
              }
            });
    return files;
  }

  void directory(String path, int mode) {
    put(path, new Directory(mode, Owner.ROOT, time));
  }

  void file(String path, int mode, Content content) {
    put(path, new Regular(content, mode, Owner.ROOT, time));
  }

  void file(String path, int mode, String text) {
    file(path, mode, Content.of(text));
  }

  void link(String path, String target) {
    put(path, new SymbolicLink(target, Owner.ROOT, time));
  }

  void device(String path, int mode, int major, int minor) {
    put(path, new CharacterDevice(major, minor, mode, Owner.ROOT, time));
  }

  void remove(String path) {
    String place = normalize(path);
    nodes.remove(place);
    nodes.subMap(place + "/", place + "0").clear();
  }

  /** The sum of the sizes of all regular files in bytes, hard links counted each. */
  long contentSize() {
    return nodes.values().stream()
        .mapToLong(node -> node instanceof Regular file ? file.content().size() : 0)
        .sum();
  }
}
