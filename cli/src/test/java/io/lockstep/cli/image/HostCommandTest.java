package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;

class HostCommandTest {
  @Test
  void outputErrorsAndStatusAreKeptApart() throws Exception {
    HostCommand.Result result = new HostCommand("sh", "-c", "echo out; echo err >&2; exit 3").run();
    assertThat(result).isEqualTo(new HostCommand.Result(3, "out\n", "err\n"));
  }

  @Test
  void inputIsGivenAndMayBeLeftUnread() throws Exception {
    byte[] input = "x".repeat(1 << 20).getBytes(StandardCharsets.UTF_8);
    assertThat(new HostCommand("wc", "-c").reading(input).run().output().strip())
        .isEqualTo(String.valueOf(input.length));
    assertThat(new HostCommand("true").reading(input).run().succeeded()).isTrue();
  }

  @Test
  void linesAreGivenOneByOne() throws Exception {
    var lines = new ArrayList<String>();
    new HostCommand("printf", "a\\nb").lines(lines::add);
    assertThat(lines).containsExactly("a", "b");
  }

  @Test
  void aMissingProgramIsASentenceThatNamesThePackage() {
    assertThatThrownBy(() -> new HostCommand("no-such-program").run())
        .isInstanceOf(ImageException.class)
        .hasMessage(
            "The program no-such-program was not found; install the Debian package"
                + " no-such-program.");
  }
}
