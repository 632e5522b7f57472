package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ImageManifestTest {
  @TempDir private Path directory;

  @Test
  void whatIsWrittenIsRead() throws Exception {
    for (Optional<String> disk : List.of(Optional.<String>empty(), Optional.of("disk.img"))) {
      var manifest =
          new ImageManifest(
              "trixie", "6.12-1", disk, "console=ttyS0 x=\"a b\"", 512, Map.of("bash", "5.2-1"));
      manifest.write(directory);
      assertThat(ImageManifest.read(directory)).isEqualTo(manifest);
    }
  }

  @Test
  void aDirectoryWithoutManifestIsNoImage() {
    assertThat(ImageManifest.isIn(directory)).isFalse();
    assertThatThrownBy(() -> ImageManifest.read(directory))
        .isInstanceOf(ImageException.class)
        .hasMessageContaining("lockstep image build");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"format\":\"lockstep-image\",\"version\":2}",
        "{\"format\":7,\"version\":[]}"
      })
  void aBrokenManifestIsRefusedWithASentence(String text) throws IOException {
    Files.writeString(directory.resolve(ImageManifest.FILE), text);
    assertThatThrownBy(() -> ImageManifest.read(directory))
        .isInstanceOf(ImageException.class)
        .hasMessageContaining("build the image again");
  }
}
