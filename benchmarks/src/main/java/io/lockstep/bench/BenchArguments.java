package io.lockstep.bench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What {@code benchmarks/run} tells a benchmark.
 *
 * @param quick whether a rough figure within half a minute is wanted
 * @param images folder with guest images
 * @param sources the folder {@code benchmarks/src/guest}
 * @param lockstep the launcher
 */
public record BenchArguments(boolean quick, Path images, Path sources, Path lockstep) {
  private static final String USAGE =
      "usage: [--quick] [--images DIR] [--sources DIR] [--lockstep FILE]";

  /**
   * Reads the arguments of a benchmark's {@code main}; without an option it is as when run from the
   * tree's root.
   *
   * @throws IllegalArgumentException for anything else
   */
  public static BenchArguments parse(String... args) {
    boolean quick = false;
    Path images = Path.of(System.getProperty("user.home"), ".cache", "lockstep", "images");
    Path sources = Path.of("benchmarks", "src", "guest");
    Path lockstep = Path.of("cli", "bin", "lockstep");
    for (int i = 0; i < args.length; i++) {
      if (args[i].equals("--quick")) {
        quick = true;
        continue;
      }
      if (i + 1 == args.length) {
        throw new IllegalArgumentException(USAGE);
      }
      Path value = Path.of(args[i + 1]);
      switch (args[i++]) {
        case "--images" -> images = value;
        case "--sources" -> sources = value;
        case "--lockstep" -> lockstep = value;
        default -> throw new IllegalArgumentException(USAGE);
      }
    }
    return new BenchArguments(
        quick, images.toAbsolutePath(), sources.toAbsolutePath(), lockstep.toAbsolutePath());
  }

  /** The folder of a guest image, if it is there. */
  public Optional<Path> image(String name) {
    Path image = images.resolve(name);
    return Files.exists(image.resolve("image.json")) ? Optional.of(image) : Optional.empty();
  }

  /** What to say when an image is not there. */
  public String missingImage(String name, String buildOptions) {
    return "There is no image '%s' in %s: make it with 'lockstep image build %s%s'."
        .formatted(name, images, images.resolve(name), buildOptions);
  }
}
