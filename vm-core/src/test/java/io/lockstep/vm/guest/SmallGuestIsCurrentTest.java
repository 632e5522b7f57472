package io.lockstep.vm.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The committed ELF was built from the sources beside it. */
class SmallGuestIsCurrentTest {
  private static final Path SOURCES = Path.of("src/guest/small");
  private static final Path DIGESTS =
      Path.of("src/main/resources/io/lockstep/vm/guest/small.elf.sources");
  private static final String ADVICE =
      "run 'make install' in vm-core/src/guest/small and commit the result";

  @Test
  void theElfIsOfTheSourcesAsTheyAre() throws IOException, NoSuchAlgorithmException {
    assertThat(digestsOfSources()).as(ADVICE).isEqualTo(recordedDigests());
  }

  @Test
  void theElfIsAnExecutableOfRiscV() {
    byte[] elf = SmallGuest.elf();
    assertThat(elf).startsWith(0x7f, 'E', 'L', 'F', 2, 1);
    assertThat(elf[18] & 0xff).as("machine").isEqualTo(243);
  }

  /** Another compiler may make other bytes of the same sources, so only the same one compares. */
  @Test
  void theCompilerThatMadeItMakesItAgain(@TempDir Path out)
      throws IOException, InterruptedException {
    assumeTrue(
        version().contains("12.2.0"),
        "needs the compiler that the ELF was built with: the package gcc-riscv64-linux-gnu of"
            + " Debian bookworm");
    run(out, "make", "-s", "-C", SOURCES.toString(), "OUT=" + out.toAbsolutePath());
    assertThat(Files.readAllBytes(out.resolve("small.elf"))).as(ADVICE).isEqualTo(SmallGuest.elf());
  }

  private static Map<String, String> recordedDigests() throws IOException {
    Map<String, String> digests = new TreeMap<>();
    for (String line : Files.readAllLines(DIGESTS)) {
      String[] words = line.split(" +", -1);
      digests.put(words[1], words[0]);
    }
    return digests;
  }

  private static Map<String, String> digestsOfSources()
      throws IOException, NoSuchAlgorithmException {
    Map<String, String> digests = new TreeMap<>();
    try (Stream<Path> files = Files.list(SOURCES)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file));
        digests.put(file.getFileName().toString(), HexFormat.of().formatHex(digest));
      }
    }
    return digests;
  }

  private static String version() throws InterruptedException {
    try {
      Process gcc = new ProcessBuilder("riscv64-linux-gnu-gcc", "-dumpfullversion").start();
      String text = new String(gcc.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
      boolean canMake = new ProcessBuilder("make", "--version").start().waitFor() == 0;
      return gcc.waitFor() == 0 && canMake ? text : "";
    } catch (IOException e) {
      return "";
    }
  }

  private static void run(Path directory, String... command)
      throws IOException, InterruptedException {
    Path log = directory.resolve("make.log");
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    assertThat(process.waitFor()).as(() -> read(log)).isZero();
  }

  private static String read(Path log) {
    try {
      return Files.readString(log);
    } catch (IOException e) {
      return "no log: " + e.getMessage();
    }
  }
}
