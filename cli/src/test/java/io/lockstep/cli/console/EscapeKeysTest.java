package io.lockstep.cli.console;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class EscapeKeysTest {
  private final EscapeKeys keys = new EscapeKeys();
  private final List<EscapeKeys.Command> commands = new ArrayList<>();

  private String type(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    return new String(keys.filter(bytes, bytes.length, commands::add), StandardCharsets.ISO_8859_1);
  }

  @Test
  void everythingElseIsForTheGuest() {
    assertThat(type("ls\r\003\004\033[A\377")).isEqualTo("ls\r\003\004\033[A\377");
    assertThat(commands).isEmpty();
  }

  @Test
  void ctrlATwiceSendsOne() {
    assertThat(type("a\001\001b")).isEqualTo("a\001b");
  }

  @Test
  void ctrlAxQuitsAlsoInTwoReads() {
    assertThat(type("a\001")).isEqualTo("a");
    assertThat(type("xb")).isEqualTo("b");
    assertThat(commands).containsExactly(EscapeKeys.Command.QUIT);
  }

  @Test
  void anUnknownKeyAfterCtrlAIsForNobody() {
    assertThat(type("\001zok")).isEqualTo("ok");
    assertThat(commands).isEmpty();
  }

  @Test
  void theHelpNamesEachKeyThatWorks() {
    for (char key : new char[] {'x', 'p', 's', 'h'}) {
      type("\001" + key);
      assertThat(EscapeKeys.HELP).contains("Ctrl-A " + key);
    }
    assertThat(commands)
        .containsExactly(
            EscapeKeys.Command.QUIT,
            EscapeKeys.Command.POWER_BUTTON,
            EscapeKeys.Command.STATS,
            EscapeKeys.Command.HELP);
  }
}
