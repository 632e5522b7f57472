package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicDirectoryTest {
  @TempDir private Path parent;

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(parent)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  private static void writeManifest(Path directory, String suite) throws IOException {
    new ImageManifest(suite, "1", Optional.empty(), "", 256, Map.of()).write(directory);
  }

  @Test
  void itAppearsWithAllItsFilesAtOnce() throws Exception {
    Path place = parent.resolve("image");
    try (var directory = new AtomicDirectory(place)) {
      Files.writeString(directory.work().resolve("kernel"), "k");
      assertThat(place).doesNotExist();
      directory.commit();
    }
    assertThat(names()).containsExactly("image");
    assertThat(place.resolve("kernel")).hasContent("k");
    try (Stream<Path> files = Files.list(place)) {
      assertThat(files).hasSize(1);
    }
  }

  @Test
  void aFailedBuildLeavesNothing() throws Exception {
    try (var directory = new AtomicDirectory(parent.resolve("image"))) {
      Files.createDirectories(directory.work().resolve("a/b"));
    }
    assertThat(names()).isEmpty();
  }

  @Test
  void anOlderImageStaysUntilTheNewOneIsComplete() throws Exception {
    Path place = Files.createDirectory(parent.resolve("image"));
    writeManifest(place, "old");
    try (var directory = new AtomicDirectory(place)) {
      writeManifest(directory.work(), "new");
      assertThat(ImageManifest.read(place).suite()).isEqualTo("old");
      directory.commit();
    }
    assertThat(ImageManifest.read(place).suite()).isEqualTo("new");
    assertThat(names()).containsExactly("image");
  }

  @Test
  void aDirectoryWithSomeoneElsesFilesIsNotTouched() throws IOException {
    Path place = Files.createDirectory(parent.resolve("home"));
    Files.writeString(place.resolve("letter"), "dear");
    assertThatThrownBy(() -> new AtomicDirectory(place).close())
        .isInstanceOf(ImageException.class)
        .hasMessageContaining("other files");
    assertThatThrownBy(() -> new AtomicDirectory(place.resolve("letter")).close())
        .isInstanceOf(ImageException.class)
        .hasMessageContaining("is a file");
    assertThat(place.resolve("letter")).hasContent("dear");
    assertThat(names()).containsExactly("home");
  }

  @Test
  void twoBuildsOfTheSameImageDoNotRemoveEachOther() throws Exception {
    try (var first = new AtomicDirectory(parent.resolve("image"));
        var second = new AtomicDirectory(parent.resolve("image"))) {
      assertThat(first.work()).exists();
      assertThat(second.work()).exists();
    }
    assertThat(names()).isEmpty();
  }

  @Test
  void aBuildThatIsToldToEndTakesItsFilesAway() throws Exception {
    Process build = startBuild();
    build.destroy(); // SIGTERM; Ctrl-C runs the same hook.
    build.waitFor();
    assertThat(names()).isEmpty();
  }

  @Test
  void whatAKilledBuildLeftIsRemovedByTheNextOne() throws Exception {
    Process build = startBuild();
    build.destroyForcibly();
    build.waitFor();
    assertThat(names()).hasSize(1).allMatch(name -> name.startsWith(".image.partial-"));
    new AtomicDirectory(parent.resolve("image")).close();
    assertThat(names()).isEmpty();
  }

  /** A build in a process of its own, which has begun and does not end by itself. */
  private Process startBuild() throws IOException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                EndlessBuild.class.getName(),
                parent.resolve("image").toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    var output =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    assertThat(output.readLine()).isEqualTo("begun");
    return process;
  }

  /** The other process. */
  static final class EndlessBuild {
    private EndlessBuild() {}

    public static void main(String[] arguments) throws Exception {
      try (var directory = new AtomicDirectory(Path.of(arguments[0]))) {
        Files.writeString(directory.work().resolve("kernel"), "half of i");
        System.out.println("begun");
        Thread.sleep(Long.MAX_VALUE);
      }
    }
  }
}
