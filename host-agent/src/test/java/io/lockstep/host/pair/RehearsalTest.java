package io.lockstep.host.pair;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class RehearsalTest {
  @Test
  void aPairInMiniatureLeavesNothingBehindWhetherItSucceedsOrNot() throws Exception {
    Set<Path> before = rehearsals();
    try {
      Rehearsal.play(20);
    } catch (IOException e) {
      // On a host this busy it takes too long. Then it has warmed up less, and that is all.
      System.out.println("not rehearsed: " + e);
    }
    assertThat(rehearsals()).isSubsetOf(before);
  }

  private static Set<Path> rehearsals() throws Exception {
    try (Stream<Path> files = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
      return files
          .filter(p -> p.getFileName().toString().startsWith("lockstep-rehearsal-"))
          .collect(Collectors.toSet());
    }
  }
}
