package io.lockstep.cli.image;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.UUID;

/** Disk images for guests. */
public final class Disks {
  private Disks() {}

  /**
   * Makes a sparse disk image with an empty ext4 file system. It is there complete or not at all.
   *
   * @param size in bytes, at least 8 MiB
   * @throws ImageException if the file exists, or the file system can't be made
   */
  public static void create(Path file, long size) throws ImageException, IOException {
    if (Files.exists(file)) {
      throw new ImageException(file + " exists; name another file or remove it.");
    }
    Path absolute = file.toAbsolutePath();
    Path work =
        absolute.resolveSibling("." + absolute.getFileName() + ".partial-" + UUID.randomUUID());
    try {
      Ext4Image.empty(work, size);
      Files.move(work, absolute, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(work);
    }
  }
}
