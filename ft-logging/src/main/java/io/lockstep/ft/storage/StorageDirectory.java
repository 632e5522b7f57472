package io.lockstep.ft.storage;

import io.lockstep.ft.storage.StorageException.Kind;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The directory that both hosts see: local, or NFS.
 *
 * <pre>
 *   lockstep-storage          two lines: "lockstep-storage 1" and "vm NAME"
 *   epochs/                   see {@link EpochStore}
 *   disk-NAME/                one for each disk, see {@link SharedDisk}
 * </pre>
 */
public final class StorageDirectory {
  static final int VERSION = 1;
  private static final String VERSION_FILE = "lockstep-storage";
  private static final String MAGIC = "lockstep-storage ";
  private static final int VERSION_FILE_MAX = 1024;
  private static final Pattern VM_NAME = Pattern.compile("\\P{Cntrl}{1,200}");
  private static final Pattern DISK_NAME = Pattern.compile("[a-z0-9][a-z0-9-]{0,30}");

  private final Path root;
  private final String vm;

  private StorageDirectory(Path root, String vm) {
    this.root = root;
    this.vm = vm;
  }

  /**
   * Opens the directory of a virtual machine, and makes it if it is empty or not there. May hang as
   * long as the storage does.
   *
   * @param vm the virtual machine's name, 1 to 200 characters
   * @throws StorageException if it belongs to another, or cannot be used
   */
  public static StorageDirectory open(Path root, String vm) throws StorageException {
    if (!VM_NAME.matcher(vm).matches()) {
      throw new IllegalArgumentException("no name for a virtual machine: " + vm);
    }
    var directory = new StorageDirectory(root, vm);
    try {
      directory.makeIfNew();
      directory.check();
      Files.createDirectories(directory.epochs());
      DurableFiles.forceDirectory(root);
      return directory;
    } catch (IOException e) {
      throw HostErrors.wrap("The storage directory %s cannot be used".formatted(root), e);
    }
  }

  private void makeIfNew() throws IOException, StorageException {
    Path file = root.resolve(VERSION_FILE);
    if (Files.exists(file)) {
      return;
    }
    Files.createDirectories(root);
    try (Stream<Path> content = Files.list(root)) {
      if (content.anyMatch(p -> !isOurs(p))) {
        throw new StorageException(
            Kind.FOREIGN,
            "The directory %s has other things in it; give the storage a directory of its own."
                .formatted(root));
      }
    }
    // Linked into place like an epoch: two hosts may do this at once.
    Path draft = root.resolve("." + VERSION_FILE + "-" + UUID.randomUUID());
    byte[] text = (MAGIC + VERSION + "\nvm " + vm + "\n").getBytes(StandardCharsets.UTF_8);
    try {
      DurableFiles.writeNew(draft, text);
      Files.createLink(file, draft);
    } catch (FileAlreadyExistsException e) {
      // The other host was quicker; what it wrote is checked next.
    } catch (UnsupportedOperationException e) {
      throw new StorageException(
          Kind.FAILED,
          "The file system of %s has no hard links, which epochs need; use a local one or NFS."
              .formatted(root),
          e);
    } finally {
      DurableFiles.deleteIfThere(draft);
    }
  }

  /** A file of ours without the version file: a draft, whose maker may have crashed. */
  private static boolean isOurs(Path path) {
    String name = path.getFileName().toString();
    return name.startsWith("." + VERSION_FILE) || name.equals(VERSION_FILE);
  }

  private void check() throws IOException, StorageException {
    byte[] bytes = DurableFiles.readStart(root.resolve(VERSION_FILE), VERSION_FILE_MAX);
    String[] lines = new String(bytes, StandardCharsets.UTF_8).split("\n", -1);
    if (lines.length < 2 || !lines[0].startsWith(MAGIC) || !lines[1].startsWith("vm ")) {
      throw new StorageException(
          Kind.FOREIGN,
          "The file %s was not written by Lockstep; use another directory for the storage."
              .formatted(root.resolve(VERSION_FILE)));
    }
    if (!lines[0].equals(MAGIC + VERSION)) {
      throw new StorageException(
          Kind.VERSION,
          "The storage directory %s has format %s and this Lockstep knows %d; use the version that made it."
              .formatted(root, lines[0].substring(MAGIC.length()), VERSION));
    }
    String owner = lines[1].substring("vm ".length());
    if (!owner.equals(vm)) {
      throw new StorageException(
          Kind.FOREIGN,
          "The storage directory %s belongs to the virtual machine %s, not to %s; use another directory."
              .formatted(root, owner, vm));
    }
  }

  /** The directory itself. */
  public Path root() {
    return root;
  }

  /** The virtual machine's name. */
  public String vm() {
    return vm;
  }

  Path epochs() {
    return root.resolve("epochs");
  }

  /**
   * Where the layers of a disk are.
   *
   * @param name 1 to 31 lower-case letters, digits and hyphens
   */
  public Path disk(String name) {
    if (!DISK_NAME.matcher(name).matches()) {
      throw new IllegalArgumentException("no name for a disk: " + name);
    }
    return root.resolve("disk-" + name);
  }
}
