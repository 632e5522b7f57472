package io.lockstep.cli;

import io.lockstep.cli.image.ImageManifest;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A guest image, as {@code lockstep image build} makes it.
 *
 * @param disk the disk that its root is on, if it has one
 * @param append its kernel command line
 * @param memoryBytes memory that it is comfortable with
 */
record ImageDirectory(
    Path kernel, Path initrd, Optional<Path> disk, String append, long memoryBytes) {

  /** Reads an image's manifest. */
  static ImageDirectory read(Path directory) {
    ImageManifest manifest = ImageErrors.reported(() -> ImageManifest.read(directory));
    return new ImageDirectory(
        directory.resolve(ImageManifest.KERNEL),
        directory.resolve(ImageManifest.INITRD),
        manifest.disk().map(directory::resolve),
        manifest.append(),
        (long) manifest.memoryMib() << 20);
  }
}
