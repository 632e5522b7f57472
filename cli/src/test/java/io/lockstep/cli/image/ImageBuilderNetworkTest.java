package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/**
 * Builds from a real mirror and boots in QEMU. Needs the network, so it runs only when asked for:
 * {@code mvn -pl cli -am verify -Dlockstep.test.network=true}.
 */
@EnabledIfSystemProperty(
    named = "lockstep.test.network",
    matches = "true",
    disabledReason = "downloads from a Debian mirror; switch on with -Dlockstep.test.network=true")
class ImageBuilderNetworkTest {
  private static final Progress SILENT =
      new Progress(new PrintStream(OutputStream.nullOutputStream()), false);

  @TempDir private Path directory;

  @BeforeEach
  void needsApt() {
    assumeTrue(HostCommand.find("apt-get").isPresent(), "install the Debian package apt");
  }

  private ImageManifest build(String suite, List<String> include)
      throws ImageException, IOException {
    var request =
        new ImageRequest(
            directory.resolve("image"),
            suite,
            include,
            List.of(),
            Optional.empty(),
            Optional.empty(),
            false,
            0,
            false);
    return new ImageBuilder(ImageBuilder.userCache(), SILENT).build(request);
  }

  @Test
  void anApplianceBootsAndRunsItsPackages() throws Exception {
    assumeTrue(
        HostCommand.find("qemu-system-riscv64").isPresent(),
        "install the Debian package qemu-system-misc");
    ImageManifest manifest = build("trixie", List.of("sqlite3"));
    assertThat(manifest.packages()).containsKeys("sqlite3", "libc6", "busybox-static");
    Path image = directory.resolve("image");
    HostCommand.Result run =
        new HostCommand(
                "qemu-system-riscv64",
                "-M",
                "virt",
                "-m",
                manifest.memoryMib() + "M",
                "-nographic",
                "-no-reboot",
                "-kernel",
                image.resolve(ImageManifest.KERNEL).toString(),
                "-initrd",
                image.resolve(ImageManifest.INITRD).toString(),
                "-append",
                manifest.append()
                    + " lockstep.run=\"sqlite3 :memory: 'select 6*7'\" lockstep.poweroff")
            .run();
    assertThat(run.output())
        .containsPattern(
            "lockstep: ready in [0-9.]+ s\r?\n42\r?\nlockstep: command ended with status 0");
  }

  @Test
  void twoBuildsOfTheSamePackagesAreTheSameBytes() throws Exception {
    build("trixie", List.of());
    byte[] first = Files.readAllBytes(directory.resolve("image/initrd"));
    build("trixie", List.of());
    assertThat(Files.readAllBytes(directory.resolve("image/initrd"))).isEqualTo(first);
  }

  @Test
  void unknownPackagesAndSuitesAreSentencesAndLeaveNothing() throws Exception {
    assertThatThrownBy(() -> build("trixie", List.of("no-such-package")))
        .isInstanceOf(ImageException.class)
        .hasMessageContaining("no-such-package");
    assertThatThrownBy(() -> build("no-such-suite", List.of()))
        .isInstanceOf(ImageException.class)
        .hasMessageContaining("no-such-suite");
    try (Stream<Path> left = Files.list(directory)) {
      assertThat(left).isEmpty();
    }
  }
}
