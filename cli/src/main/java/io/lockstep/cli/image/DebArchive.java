package io.lockstep.cli.image;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Predicate;

/** Unpacks a {@code .deb} into a tree. Its scripts are read, never run. */
final class DebArchive {
  private final Path file;

  DebArchive(Path file) {
    this.file = file;
  }

  /**
   * The members of the control part by name: {@code control}, {@code postinst}, {@code md5sums} and
   * so on.
   */
  Map<String, String> control() throws ImageException, IOException {
    var members = new TreeMap<String, String>();
    read(
        "--ctrl-tarfile",
        tar -> {
          for (Optional<TarReader.Entry> next = tar.next(); next.isPresent(); next = tar.next()) {
            TarReader.Entry entry = next.get();
            if (entry.kind() == TarReader.Kind.FILE) {
              byte[] bytes = tar.content().readNBytes(Math.toIntExact(entry.size()));
              tar.consumed();
              members.put(
                  FileTree.normalize(entry.name()), new String(bytes, StandardCharsets.UTF_8));
            }
          }
        });
    return members;
  }

  /**
   * Adds the package's files to the tree.
   *
   * @param wanted says for a path (no leading slash) whether to take it
   * @return all paths of the package, also those not taken
   */
  List<String> unpack(FileTree tree, Spool spool, Predicate<String> wanted)
      throws ImageException, IOException {
    var paths = new ArrayList<String>();
    read(
        "--fsys-tarfile",
        tar -> {
          for (Optional<TarReader.Entry> next = tar.next(); next.isPresent(); next = tar.next()) {
            TarReader.Entry entry = next.get();
            String path = FileTree.normalize(entry.name());
            paths.add(path);
            if (!path.isEmpty() && wanted.test(path)) {
              add(tree, spool, tar, entry, path);
            }
          }
        });
    return paths;
  }

  private static void add(
      FileTree tree, Spool spool, TarReader tar, TarReader.Entry entry, String path)
      throws IOException {
    var owner = new FileTree.Owner(entry.uid(), entry.gid());
    switch (entry.kind()) {
      case FILE -> {
        Content content = spool.append(tar.content(), entry.size());
        tar.consumed();
        tree.put(path, new FileTree.Regular(content, entry.mode(), owner, entry.time()));
      }
      case HARD_LINK -> {
        Optional<FileTree.Node> first = tree.at(entry.linkTarget());
        if (first.isPresent()) {
          tree.put(path, first.get());
        }
      }
      case SYMBOLIC_LINK ->
          tree.put(path, new FileTree.SymbolicLink(entry.linkTarget(), owner, entry.time()));
      case DIRECTORY -> tree.put(path, new FileTree.Directory(entry.mode(), owner, entry.time()));
      case CHARACTER_DEVICE ->
          tree.put(
              path,
              new FileTree.CharacterDevice(
                  entry.major(), entry.minor(), entry.mode(), owner, entry.time()));
      case OTHER -> {} // Block devices and FIFOs: no Debian package ships one.
    }
  }

  /** Takes the members of one of the package's two archives. */
  private interface ArchiveReader {
    void read(TarReader tar) throws IOException;
  }

  private void read(String part, ArchiveReader reader) throws ImageException, IOException {
    HostCommand.Result result;
    try {
      result =
          new HostCommand("dpkg-deb", part, file.toString())
              .run(output -> reader.read(new TarReader(new BufferedInputStream(output, 1 << 16))));
    } catch (java.io.EOFException e) {
      throw new ImageException(
          "The package " + file.getFileName() + " is damaged; delete " + file + ".", e);
    }
    if (!result.succeeded()) {
      throw new ImageException(
          "The package " + file.getFileName() + " cannot be unpacked; delete " + file + ".");
    }
  }
}
