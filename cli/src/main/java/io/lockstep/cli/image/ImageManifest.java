package io.lockstep.cli.image;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import tools.jackson.core.JacksonException;
import tools.jackson.jr.ob.JSON;

/**
 * The file {@code image.json} of an image directory: what is in it and how to start it.
 *
 * @param suite Debian suite
 * @param kernelVersion version of the kernel package
 * @param disk name of the disk image that the guest's root is on, in the image directory; empty for
 *     an appliance
 * @param append the kernel command line to use unless the user gives one
 * @param memoryMib memory that the guest is comfortable with, in MiB
 * @param packages version of each package in the guest
 */
public record ImageManifest(
    String suite,
    String kernelVersion,
    Optional<String> disk,
    String append,
    int memoryMib,
    Map<String, String> packages) {
  public static final String FILE = "image.json";
  public static final String KERNEL = "kernel";
  public static final String INITRD = "initrd";
  public static final String DISK = "disk.img";

  private static final String FORMAT = "lockstep-image";
  private static final int VERSION = 1;

  public ImageManifest {
    packages = Map.copyOf(packages);
  }

  /** Whether a directory holds an image. */
  public static boolean isIn(Path directory) {
    return Files.isRegularFile(directory.resolve(FILE));
  }

  /**
   * Reads the manifest of an image directory.
   *
   * @throws ImageException if there is none, or it is not one this version understands
   */
  public static ImageManifest read(Path directory) throws ImageException {
    Path file = directory.resolve(FILE);
    if (!Files.isRegularFile(file)) {
      throw new ImageException(
          "%s is no guest image (it has no %s); make one with 'lockstep image build %1$s'."
              .formatted(directory, FILE));
    }
    try {
      Map<String, Object> json = JSON.std.mapFrom(Files.readString(file));
      if (json == null
          || !FORMAT.equals(json.get("format"))
          || !Integer.valueOf(VERSION).equals(json.get("version"))) {
        throw new ImageException(
            file + " was written by another version of lockstep; build the image again.");
      }
      var packages = new TreeMap<String, String>();
      if (json.get("packages") instanceof Map<?, ?> map) {
        map.forEach((name, version) -> packages.put(String.valueOf(name), String.valueOf(version)));
      }
      return new ImageManifest(
          text(json, "suite"),
          text(json, "kernelVersion"),
          Optional.ofNullable(json.get("disk")).map(String::valueOf),
          text(json, "append"),
          json.get("memoryMib") instanceof Integer memory ? memory : 512,
          packages);
    } catch (IOException | JacksonException e) {
      throw new ImageException(file + " is damaged; build the image again.", e);
    }
  }

  private static String text(Map<String, Object> json, String field) {
    return String.valueOf(json.getOrDefault(field, ""));
  }

  /** Writes it into an image's directory. */
  public void write(Path directory) throws IOException {
    var json = new LinkedHashMap<String, Object>();
    json.put("format", FORMAT);
    json.put("version", VERSION);
    json.put("suite", suite);
    json.put("architecture", AptWorkspace.ARCHITECTURE);
    json.put("kernel", KERNEL);
    json.put("kernelVersion", kernelVersion);
    json.put("initrd", INITRD);
    disk.ifPresent(name -> json.put("disk", name));
    json.put("append", append);
    json.put("memoryMib", memoryMib);
    json.put("packages", new TreeMap<>(packages));
    Files.writeString(
        directory.resolve(FILE),
        JSON.std.with(JSON.Feature.PRETTY_PRINT_OUTPUT).asString(json) + "\n");
  }
}
