package io.lockstep.host.control;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * Where the processes of one user on one host leave their control sockets: {@code
 * $LOCKSTEP_RUNTIME_DIR}, or else {@code $XDG_RUNTIME_DIR/lockstep}, or else {@code
 * /tmp/lockstep-USER}. Only the user can enter it.
 */
public final class RuntimeDirectory {
  private RuntimeDirectory() {}

  /** The directory, made if it is not there. */
  public static Path open() throws IOException {
    Path directory = path();
    if (!Files.isDirectory(directory)) {
      Files.createDirectories(directory.getParent());
      try {
        Files.createDirectory(
            directory,
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      } catch (java.nio.file.FileAlreadyExistsException e) {
        // Another process was quicker.
      }
    }
    if (!Files.getOwner(directory).getName().equals(System.getProperty("user.name"))) {
      throw new IOException(
          "The directory %s belongs to somebody else; set LOCKSTEP_RUNTIME_DIR to one of your own."
              .formatted(directory));
    }
    return directory;
  }

  /** Where it is or would be. */
  public static Path path() {
    String own = System.getenv("LOCKSTEP_RUNTIME_DIR");
    if (own != null && !own.isEmpty()) {
      return Path.of(own).toAbsolutePath();
    }
    String xdg = System.getenv("XDG_RUNTIME_DIR");
    if (xdg != null && !xdg.isEmpty()) {
      return Path.of(xdg, "lockstep").toAbsolutePath();
    }
    return Path.of("/tmp", "lockstep-" + System.getProperty("user.name"));
  }

  /** The control socket of a process. */
  static Path socket(Path directory, long pid) {
    return directory.resolve(pid + ".sock");
  }
}
