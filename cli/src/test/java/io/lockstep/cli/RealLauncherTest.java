package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.lockstep.vm.Version;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The launcher as a user has it: the real tree, the real Maven, the real JDK. Builds when the
 * sources have changed.
 */
class RealLauncherTest {
  @Test
  void itRunsFromAnotherDirectoryThroughASymbolicLink(@TempDir Path elsewhere) throws Exception {
    assumeTrue(isOnPath("mvn"), "needs Maven on the PATH: install Debian's package maven");
    // Inside the tree's own build directory, because a link that leads out of a @TempDir is deleted
    // with a warning.
    Path links = Files.createDirectories(Path.of("target", "launcher-links").toAbsolutePath());
    Path link = links.resolve("lockstep");
    Files.deleteIfExists(link);
    Files.createSymbolicLink(link, LauncherTree.realLauncher());

    var outcome =
        LauncherTree.finish(
            new ProcessBuilder(link.toString(), "--version").directory(elsewhere.toFile()).start());

    assertThat(outcome.err()).doesNotContain("failed");
    assertThat(outcome.status()).isZero();
    assertThat(outcome.out()).isEqualToIgnoringNewLines("lockstep " + Version.LOCKSTEP);
  }

  private static boolean isOnPath(String command) {
    return Arrays.stream(System.getenv("PATH").split(":", -1))
        .anyMatch(directory -> Files.isExecutable(Path.of(directory, command)));
  }
}
