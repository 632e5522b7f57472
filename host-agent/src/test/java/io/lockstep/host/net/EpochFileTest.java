package io.lockstep.host.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EpochFileTest {
  private static final UUID A = new UUID(1, 1);
  private static final UUID B = new UUID(2, 2);

  @TempDir Path dir;
  private Path path;

  @BeforeEach
  void name() {
    path = dir.resolve("epochs");
  }

  private Map<UUID, Long> reopened() throws IOException {
    try (EpochFile file = EpochFile.open(path)) {
      return file.epochs();
    }
  }

  @Test
  void theNewestEpochOfEachMachineIsFoundAgain() throws Exception {
    try (EpochFile file = EpochFile.open(path)) {
      assertThat(file.epochs()).isEmpty();
      file.record(A, 2);
      file.record(B, 7);
      file.record(A, 3);
    }
    assertThat(reopened()).isEqualTo(Map.of(A, 3L, B, 7L));
    try (EpochFile file = EpochFile.open(path)) {
      file.record(B, 8);
    }
    assertThat(reopened()).isEqualTo(Map.of(A, 3L, B, 8L));
  }

  @Test
  void aFileCutOffAnywhereGivesAllWholeLines() throws Exception {
    Files.writeString(path, A + " 2\n" + B + " 30\n");
    byte[] whole = Files.readAllBytes(path);
    for (int length = 0; length <= whole.length; length++) {
      Files.write(path, java.util.Arrays.copyOf(whole, length));
      Map<UUID, Long> expected =
          length == whole.length ? Map.of(A, 2L, B, 30L) : length >= 39 ? Map.of(A, 2L) : Map.of();
      assertThat(reopened()).as("%d bytes", length).isEqualTo(expected);
      try (EpochFile file = EpochFile.open(path)) {
        file.record(B, 31);
      }
      assertThat(reopened()).as("%d bytes, continued", length).containsEntry(B, 31L);
    }
  }

  @Test
  void whatIsNoSuchFileIsSaidPlainly() throws Exception {
    Files.writeString(path, A + " 2\nsomething else\n");
    assertThatThrownBy(this::reopened)
        .isInstanceOf(IOException.class)
        .hasMessageContaining(path.toString())
        .hasMessageContaining("line 2");
    assertThatThrownBy(() -> EpochFile.open(dir.resolve("none/epochs")))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("name another");
  }

  @Test
  void twoSwitchesCannotUseOneFile() throws Exception {
    try (EpochFile file = EpochFile.open(path)) {
      assertThat(file.epochs()).isEmpty();
      assertThatThrownBy(() -> EpochFile.open(path)).hasMessageContaining("another switch");
    }
  }

  @Test
  void aSwitchThatIsStartedAgainStillRefusesOlderEpochs() throws Exception {
    VirtualSwitch.Config config =
        new VirtualSwitch.Config(
            java.util.List.of(),
            java.util.Optional.empty(),
            java.util.Optional.empty(),
            java.util.Optional.empty(),
            java.util.Optional.empty(),
            java.util.Optional.of(path),
            L2Switch.Limits.DEFAULT);
    Files.writeString(path, A + " 9\n", StandardOpenOption.CREATE);
    try (VirtualSwitch network = VirtualSwitch.start(config)) {
      assertThat(network.<Long>onLoop(() -> network.newestEpoch(A))).isEqualTo(9);
    }
  }
}
