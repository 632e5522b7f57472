package io.lockstep.host.pair;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class RehearsalTest {
  @Test
  void aPairInMiniatureLosesItsPrimaryAndLeavesNothingBehind() throws Exception {
    Set<Path> before = rehearsals();
    Rehearsal.play(20);
    assertThat(rehearsals()).isEqualTo(before);
  }

  private static Set<Path> rehearsals() throws Exception {
    try (Stream<Path> files = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
      return files
          .filter(p -> p.getFileName().toString().startsWith("lockstep-rehearsal-"))
          .collect(Collectors.toSet());
    }
  }
}
