package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The scripts that run in the guest, as far as they run anywhere. */
class GuestScriptsTest {
  @TempDir private Path directory;

  @BeforeEach
  void writeFunctions() throws IOException {
    Files.write(directory.resolve("functions"), Resources.bytes("functions"));
  }

  private String shell(String commandLine, String script) throws Exception {
    return new HostCommand("sh", "-c", ". ./functions; " + script)
        .in(directory)
        .with("command_line", commandLine)
        .run()
        .output();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "quiet lockstep.run=ls x=y | lockstep.run | ls",
        "quiet lockstep.run=\"echo a b; ls\" x=y | lockstep.run | echo a b; ls",
        "quiet \"lockstep.run=echo a b\" x=y | lockstep.run | echo a b",
        "lockstep.run=first | lockstep.run | first",
        "init=/bin/x rdinit=/y | init | /bin/x",
        "root=/dev/vda | root | /dev/vda",
        "x=root=/dev/vda | root | none",
        "nothing here | lockstep.run | none",
        "lockstep.run= x | lockstep.run | ``",
      })
  void anArgumentIsFoundQuotedOrNot(String commandLine, String name, String value)
      throws Exception {
    String printed =
        shell(
            commandLine,
            "if argument " + name + "; then printf %s \"$value\"; else printf none; fi");
    assertThat(printed).isEqualTo(value);
  }

  @Test
  void aFlagIsAWholeWord() throws Exception {
    String script = "flag rw && echo yes || echo no";
    assertThat(shell("a rw b", script)).isEqualTo("yes\n");
    assertThat(shell("rw=1", script)).isEqualTo("yes\n");
    assertThat(shell("rwx xrw rw=0", script)).isEqualTo("no\n");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "init",
        "functions",
        "udhcpc",
        "wait-for-network",
        "console",
        "shutdown",
        "poweroff",
        "profile",
        "service-redis",
        "service-ssh",
        "second-stage",
        "full-started"
      })
  void everyScriptIsValidShell(String name) throws Exception {
    Files.write(directory.resolve("script"), Resources.bytes(name));
    HostCommand.Result result = new HostCommand("sh", "-n", "script").in(directory).run();
    assertThat(result).isEqualTo(new HostCommand.Result(0, "", ""));
  }
}
