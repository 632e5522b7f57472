package io.lockstep.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.jr.ob.JSON;

/**
 * A guest image, as {@code lockstep image build} makes it.
 *
 * @param disk the disk that its root is on, if it has one
 * @param append its kernel command line
 * @param memoryBytes memory that it is comfortable with
 */
record ImageDirectory(
    Path kernel, Path initrd, Optional<Path> disk, String append, long memoryBytes) {
  private static final String MANIFEST = "image.json";

  /** Reads an image's manifest. */
  static ImageDirectory read(Path directory) {
    Path manifest = directory.resolve(MANIFEST);
    if (!Files.isRegularFile(manifest)) {
      throw new UserError(
          "%s is no guest image (it has no %s); make one with 'lockstep image build %1$s'."
              .formatted(directory, MANIFEST));
    }
    try {
      Map<String, Object> json = JSON.std.mapFrom(Files.readString(manifest));
      if (!"lockstep-image".equals(json.get("format"))) {
        throw new UserError("%s is not a manifest of a guest image.".formatted(manifest));
      }
      return new ImageDirectory(
          directory.resolve(text(json, "kernel", "kernel")),
          directory.resolve(text(json, "initrd", "initrd")),
          Optional.ofNullable(json.get("disk")).map(name -> directory.resolve(name.toString())),
          text(json, "append", ""),
          (json.get("memoryMib") instanceof Number n ? n.longValue() : 512) << 20);
    } catch (IOException | JacksonException e) {
      throw new UserError("%s is damaged; build the image again.".formatted(manifest), e);
    }
  }

  private static String text(Map<String, Object> json, String field, String otherwise) {
    return json.get(field) instanceof String s ? s : otherwise;
  }
}
