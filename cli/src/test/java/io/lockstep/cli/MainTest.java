package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.Version;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Command;

class MainTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @Command(name = "fail-user")
  static final class FailsForTheUser implements Callable<Integer> {
    @Override
    public Integer call() {
      throw new UserError("disk.img is missing: name an existing file.");
    }
  }

  @Command(name = "fail-bug")
  static final class FailsByABug implements Callable<Integer> {
    @Override
    public Integer call() {
      throw new IllegalStateException("no such lsn");
    }
  }

  private int run(String... args) {
    CommandLine lockstep = Main.commandLine();
    lockstep.addSubcommand(new FailsForTheUser()).addSubcommand(new FailsByABug());
    lockstep.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
    return lockstep.execute(args);
  }

  @Test
  void helpGoesToStdoutWithStatusZero() {
    assertThat(run("--help")).isEqualTo(ExitStatus.OK);
    assertThat(out.toString()).contains("Usage: lockstep");
    assertThat(err.toString()).isEmpty();
  }

  @Test
  void theVersionIsTheOneOfTheSources() {
    assertThat(run("--version")).isEqualTo(ExitStatus.OK);
    assertThat(out.toString()).isEqualToIgnoringNewLines("lockstep " + Version.LOCKSTEP);
  }

  @Test
  void aCommandIsFoundUnderItsName() {
    Commands.byName()
        .forEach(
            (name, command) -> {
              assertThat(command.getAnnotation(Command.class).name()).isEqualTo(name);
              assertThat(Commands.forArguments(name, "--help")).isEqualTo(List.of(command));
            });
    assertThat(Commands.forArguments("--debug", "run")).hasSize(Commands.byName().size());
    assertThat(Commands.forArguments()).hasSize(Commands.byName().size());
  }

  @Test
  void noCommandIsWrongUsage() {
    assertThat(run()).isEqualTo(ExitStatus.USAGE);
    assertThat(out.toString()).isEmpty();
    assertThat(err.toString()).contains("Usage: lockstep");
  }

  @Test
  void anUnknownOptionIsWrongUsageInTwoLines() {
    assertThat(run("--bogus")).isEqualTo(ExitStatus.USAGE);
    assertThat(err.toString().lines()).hasSize(2);
    assertThat(err.toString()).contains("--bogus", "lockstep --help");
  }

  @Test
  void aUserErrorIsOneSentenceWithStatusOne() {
    assertThat(run("fail-user")).isEqualTo(ExitStatus.FAILURE);
    assertThat(err.toString())
        .isEqualToIgnoringNewLines("lockstep: disk.img is missing: name an existing file.");
  }

  @Test
  void aBugIsOneSentenceWithoutAStackTrace() {
    assertThat(run("fail-bug")).isEqualTo(ExitStatus.FAILURE);
    assertThat(err.toString().lines())
        .singleElement()
        .asString()
        .contains("no such lsn", "--debug");
  }

  @Test
  void withDebugTheStackTraceIsShown() {
    assertThat(run("--debug", "fail-bug")).isEqualTo(ExitStatus.FAILURE);
    assertThat(err.toString()).contains("\tat io.lockstep.cli.MainTest");
  }
}
