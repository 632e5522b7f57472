package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class ImageCommandTest {
  private final StringWriter err = new StringWriter();

  @TempDir private Path directory;

  private int run(String... arguments) {
    CommandLine lockstep = Main.commandLine();
    lockstep.setOut(new PrintWriter(new StringWriter())).setErr(new PrintWriter(err, true));
    return lockstep.execute(arguments);
  }

  @Test
  void withoutASubcommandOrADirectoryItIsWrongUsage() {
    assertThat(run("image")).isEqualTo(ExitStatus.USAGE);
    assertThat(run("image", "build")).isEqualTo(ExitStatus.USAGE);
    assertThat(err.toString()).contains("build or disk").contains("DIR");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"--include=-oX::Y=z", "--include=a b", "--suite=../x", "--module=;", "--size=12Q"})
  void namesThatCannotBeAreWrongUsage(String option) {
    assertThat(run("image", "build", option, directory.resolve("i").toString()))
        .isEqualTo(ExitStatus.USAGE);
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void adirectoryWithOtherFilesIsRefusedBeforeAnythingIsDownloaded() throws IOException {
    Files.writeString(directory.resolve("letter"), "dear");
    assertThat(run("image", "build", directory.toString())).isEqualTo(ExitStatus.FAILURE);
    assertThat(err.toString()).contains("other files").doesNotContain("Exception");
  }

  @Test
  void aMissingKeyFileIsASentence() {
    Path image = directory.resolve("image");
    assertThat(run("image", "build", "--ssh-key", "/no/such/key", image.toString()))
        .isEqualTo(ExitStatus.FAILURE);
    assertThat(err.toString()).contains("/no/such/key").hasLineCount(1);
  }

  @ParameterizedTest
  @CsvSource({"4096, 4096", "1K, 1024", "64M, 67108864", "2g, 2147483648", "1TiB, 1099511627776"})
  void sizesHaveUnits(String text, long bytes) {
    assertThat(new SizeConverter().convert(text)).isEqualTo(bytes);
  }

  @Test
  void aFullDiskAndForbiddenPlacesAreSentences() {
    assertThat(ImageErrors.sentence(new IOException("write: No space left on device")))
        .startsWith("The disk is full");
    assertThat(ImageErrors.sentence(new AccessDeniedException("/x")))
        .startsWith("/x may not be written");
    assertThat(ImageErrors.sentence(new FileSystemException("/x", null, "Read-only file system")))
        .contains("/x is on a read-only");
    assertThat(ImageErrors.sentence(new IOException("odd"))).contains("odd").endsWith(".");
  }
}
