package io.lockstep.cli.image;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Makes ext4 disk images without privilege: mke2fs fills one from a staging directory, and debugfs
 * then sets the owners and modes that the staging directory could not have.
 */
final class Ext4Image {
  private static final long BLOCK = 4096;
  private static final long INODE = 256;

  /** Share of the disk that the journal, tables and room to breathe take: a tenth and 64 MiB. */
  private static final long FIXED_RESERVE = 64L << 20;

  private static final long SMALLEST = 8L << 20;
  private static final long MIB = 1L << 20;

  private Ext4Image() {}

  /** Makes an empty file system in a sparse file of {@code size} bytes. */
  static void empty(Path image, long size) throws ImageException, IOException {
    if (size < SMALLEST) {
      throw new ImageException("A disk needs at least 8 MiB; give a larger --size.");
    }
    makeFileSystem(image, size, List.of());
  }

  /**
   * Makes a file system with the contents of a tree; {@code staging} is a directory that it may
   * fill.
   */
  static void of(FileTree tree, Path image, long size, Path staging, Progress.Step step)
      throws ImageException, IOException {
    long needed = needed(tree);
    if (size < needed) {
      throw new ImageException(
          "The packages need a disk of " + (needed / MIB + 1) + "M; give a larger --size.");
    }
    Files.createDirectory(staging);
    String corrections = stage(tree, staging, step);
    makeFileSystem(image, size, List.of("-d", staging.toString()));
    correct(image, corrections, staging);
  }

  private static long needed(FileTree tree) {
    long content = 0;
    for (FileTree.Node node : tree.nodes().values()) {
      content += INODE;
      content +=
          node instanceof FileTree.Regular file
              ? (file.content().size() + BLOCK - 1) / BLOCK * BLOCK
              : BLOCK / 4;
    }
    return content + content / 10 + FIXED_RESERVE;
  }

  private static void makeFileSystem(Path image, long size, List<String> filling)
      throws ImageException, IOException {
    try (var file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(size);
    }
    // Tables written now and not by the guest in the background, which would be traffic that no one
    // asked for.
    var arguments =
        new ArrayList<>(
            List.of(
                "-q",
                "-F",
                "-t",
                "ext4",
                "-m",
                "1",
                "-E",
                "lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0"));
    arguments.addAll(filling);
    arguments.add(image.toString());
    HostCommand.Result result = new HostCommand("mke2fs", arguments).run();
    if (!result.succeeded()) {
      throw trouble(result.errors());
    }
  }

  private static ImageException trouble(String errors) {
    if (errors.contains("No space left on device")) {
      return new ImageException("The disk is full; free some space or choose another directory.");
    }
    String reason =
        errors
            .lines()
            .filter(line -> !line.isBlank())
            .reduce((first, last) -> last)
            .orElse("no reason given");
    return new ImageException("The disk image could not be made (" + reason.strip() + ").");
  }

  /**
   * Writes the tree to a directory and returns the debugfs commands for what it cannot express
   * there.
   */
  private static String stage(FileTree tree, Path staging, Progress.Step step)
      throws ImageException, IOException {
    int uid = (Integer) Files.getAttribute(staging, "unix:uid");
    int gid = (Integer) Files.getAttribute(staging, "unix:gid");
    var staged = new FileTree.Owner(uid, gid);
    var corrections = new StringBuilder();
    var written = new IdentityHashMap<FileTree.Regular, Path>();
    long done = 0;
    for (Map.Entry<String, FileTree.Node> entry : tree.nodes().entrySet()) {
      if (entry.getKey().isEmpty()) {
        continue;
      }
      String path = entry.getKey();
      if (path.indexOf('"') >= 0 || path.indexOf('\n') >= 0) {
        throw new ImageException(
            "A package has a file with the name " + path + ", which cannot be put on a disk.");
      }
      done += write(entry.getValue(), staging.resolve(path), written);
      step.at(done);
      corrections.append(correction(path, entry.getValue(), staged));
    }
    setDirectoryTimes(tree, staging);
    return corrections.toString();
  }

  private static long write(
      FileTree.Node node, Path file, IdentityHashMap<FileTree.Regular, Path> written)
      throws IOException {
    switch (node) {
      case FileTree.Directory d -> Files.createDirectory(file);
      case FileTree.SymbolicLink link -> Files.createSymbolicLink(file, Path.of(link.target()));
      case FileTree.CharacterDevice d -> {} // The guest's kernel makes /dev.
      case FileTree.Regular regular -> {
        Path first = written.putIfAbsent(regular, file);
        if (first != null) {
          Files.createLink(file, first);
          return 0;
        }
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 16)) {
          regular.content().writeTo(out);
        }
        Files.setPosixFilePermissions(file, permissions(regular.mode() | 0600));
        Files.setLastModifiedTime(file, FileTime.fromMillis(regular.time() * 1000));
        return regular.content().size();
      }
    }
    return 0;
  }

  /** Last, because every file made in a directory changes its time. */
  private static void setDirectoryTimes(FileTree tree, Path staging) throws IOException {
    for (Map.Entry<String, FileTree.Node> entry : tree.nodes().entrySet()) {
      if (entry.getValue() instanceof FileTree.Directory directory) {
        Path path = staging.resolve(entry.getKey());
        Files.setPosixFilePermissions(path, permissions(directory.mode() | 0700));
        Files.setLastModifiedTime(path, FileTime.fromMillis(directory.time() * 1000));
      }
    }
  }

  private static Set<PosixFilePermission> permissions(int mode) {
    var permissions = EnumSet.noneOf(PosixFilePermission.class);
    PosixFilePermission[] fromHighest = PosixFilePermission.values();
    for (int bit = 0; bit < 9; bit++) {
      if ((mode & (0400 >> bit)) != 0) {
        permissions.add(fromHighest[bit]);
      }
    }
    return permissions;
  }

  private static String correction(String path, FileTree.Node node, FileTree.Owner staged) {
    var text = new StringBuilder();
    switch (node) {
      case FileTree.CharacterDevice d -> {
        return "";
      }
      case FileTree.Regular file ->
          text.append(mode(path, 0100000, file.mode(), file.mode() | 0600));
      case FileTree.Directory directory ->
          text.append(mode(path, 0040000, directory.mode(), directory.mode() | 0700));
      case FileTree.SymbolicLink link -> {}
    }
    if (node.owner().uid() != staged.uid()) {
      text.append("sif \"/%s\" uid %d\n".formatted(path, node.owner().uid()));
    }
    if (node.owner().gid() != staged.gid()) {
      text.append("sif \"/%s\" gid %d\n".formatted(path, node.owner().gid()));
    }
    return text.toString();
  }

  private static String mode(String path, int type, int wanted, int staged) {
    return wanted == (staged & 0777) ? "" : "sif \"/%s\" mode 0%o\n".formatted(path, type | wanted);
  }

  private static void correct(Path image, String commands, Path staging)
      throws ImageException, IOException {
    Path script = staging.resolveSibling("debugfs-commands");
    Files.writeString(script, commands);
    HostCommand.Result result =
        new HostCommand("debugfs", "-w", "-f", script.toString(), image.toString()).run();
    Files.delete(script);
    // debugfs ends with success whatever happens; all it prints without one is its version.
    String complaint =
        result
            .errors()
            .lines()
            .filter(line -> !line.startsWith("debugfs ") && !line.isBlank())
            .findFirst()
            .orElse("");
    if (!result.succeeded() || !complaint.isEmpty()) {
      throw trouble(complaint);
    }
  }
}
