package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AptTroubleTest {
  private static AptTrouble in(String errors) {
    return AptTrouble.in(errors, "trixie", "http://m.example/debian");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "E: Unable to locate package nonsuch | NO_SUCH_PACKAGE | nonsuch",
        "E: Package 'php5' has no installation candidate | NO_SUCH_PACKAGE | php5",
        "E: No packages found matching x9 | NO_SUCH_PACKAGE | x9",
        "E: Write error - write (28: No space left on device) | DISK | free some space",
        "E: You don't have enough free space in /c/. | DISK | XDG_CACHE_HOME",
        "E: The repository 'http://m trixie InRelease' is not signed. | SIGNATURE | keyring",
        "W: GPG error: NO_PUBKEY 6ED0E7B82643E131 | SIGNATURE | keyring",
        "E: Failed to fetch http://m  Temporary failure resolving 'm' | NETWORK | proxy",
        "E: Failed to fetch http://m  Could not connect to m:80 | NETWORK | m.example",
        "E: Failed to fetch http://m  File has unexpected size (1 != 2). Mirror sync in progress? |"
            + " MIRROR_CHANGING | later",
        "E: Unable to correct problems, you have held broken packages. | DEPENDENCIES | leave one"
            + " out",
        "E: Something else | OTHER | Something else",
      })
  void everyTroubleHasItsSentence(String errors, AptTrouble.Kind kind, String part) {
    AptTrouble trouble = in(errors + "\n");
    assertThat(trouble.kind()).isEqualTo(kind);
    assertThat(trouble.sentence()).contains(part).endsWith(".").doesNotContain("\n");
  }

  @Test
  void aMirrorWithoutTheSuiteIsNotAMirrorThatIsAway() {
    AptTrouble missing =
        in(
            """
            Err:1 404  Not Found
            E: The repository 'x nosuch Release' does not have a Release file.
            """);
    assertThat(missing.kind()).isEqualTo(AptTrouble.Kind.NO_SUCH_SUITE);
    AptTrouble away =
        in(
            """
            E: Failed to fetch x  Could not connect to m:80 (1.2.3.4), connection timed out
            E: The repository 'x trixie Release' does not have a Release file.
            """);
    assertThat(away.kind()).isEqualTo(AptTrouble.Kind.NETWORK);
  }

  @Test
  void silenceIsReportedToo() {
    assertThat(in("").sentence()).isEqualTo("apt failed: no reason given.");
  }
}
