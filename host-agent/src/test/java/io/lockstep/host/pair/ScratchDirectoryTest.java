package io.lockstep.host.pair;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ScratchDirectoryTest {
  @TempDir Path parent;

  @Test
  void itGoesWithItsOwner() throws Exception {
    Path path;
    try (ScratchDirectory scratch = ScratchDirectory.create(parent, "log-")) {
      path = scratch.path();
      Files.writeString(path.resolve("file"), "x");
    }
    assertThat(path).doesNotExist();
  }

  @Test
  void whatAKilledProcessLeftIsRemovedByTheNext() throws Exception {
    Path left = Files.createDirectory(parent.resolve("log-of-the-dead"));
    Files.createFile(left.resolve("in-use"));
    Files.writeString(Files.createDirectory(left.resolve("sub")).resolve("file"), "x");
    ScratchDirectory.create(parent, "log-").close();
    assertThat(left).doesNotExist();
  }

  @Test
  void whatIsInUseOrOfAnotherKindOrNotOursStays() throws Exception {
    Path other = Files.createDirectory(parent.resolve("demo-1"));
    Files.createFile(other.resolve("in-use"));
    Path unknown = Files.createDirectory(parent.resolve("log-without-a-lock"));
    try (ScratchDirectory first = ScratchDirectory.create(parent, "log-");
        ScratchDirectory second = ScratchDirectory.create(parent, "log-")) {
      assertThat(first.path()).isDirectory();
      assertThat(second.path()).isDirectory();
      assertThat(other).isDirectory();
      assertThat(unknown).isDirectory();
    }
  }
}
