package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A machine of {@code lockstep run} that another process has recorded. */
@Timeout(300)
class RecordRunningTest {
  @TempDir private Path directory;

  private RunProcess start(String... arguments) throws Exception {
    List<String> command = RunProcess.command();
    // What the log's queue needs of the JVM.
    for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      if (option.startsWith("--add")) {
        command.add(1, option);
      }
    }
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("LOCKSTEP_RUNTIME_DIR", directory.resolve("run").toString());
    return RunProcess.start(builder);
  }

  private record Result(int status, String out, String err) {}

  private Result result(String... arguments) throws Exception {
    try (RunProcess process = start(arguments)) {
      int status = process.status();
      return new Result(status, process.out(), process.err());
    }
  }

  private RunProcess guest(String name) throws Exception {
    Path kernel = TypingGuest.write(directory.resolve("typing.elf"));
    List<String> arguments = new ArrayList<>(List.of("run", "--memory", "4M"));
    arguments.addAll(List.of("--kernel", kernel.toString(), "--name", name));
    return start(arguments.toArray(String[]::new)).awaitOut(TypingGuest.BANNER);
  }

  @Test
  void itIsRecordedFromNowOnUntilTheUserEndsItAndRunsOn() throws Exception {
    String out = directory.resolve("recording").toString();
    try (RunProcess vm = guest("typewriter")) {
      vm.type("then.").awaitOut("then.");
      assertThat(result("status").out).contains("typewriter", "unprotected");
      assertThat(result("record", "--vm", "typewriter", "--out", out))
          .matches(r -> r.status == 0)
          .matches(r -> r.out.contains("the guest stood still for"));
      vm.type("while.").awaitOut("while.");
      assertThat(result("record", "--vm", "typewriter", "--out", out + "2"))
          .matches(r -> r.status == 1)
          .matches(r -> r.err.contains("is being recorded into " + out + " already"));
      assertThat(result("record", "--vm", "typewriter", "--stop"))
          .matches(r -> r.status == 0)
          .matches(r -> r.out.contains("is complete"));
      assertThat(result("record", "--vm", "typewriter", "--stop"))
          .matches(r -> r.status == 1)
          .matches(r -> r.err.contains("is not being recorded"));
      vm.type("since.").awaitOut("since.").type("q");
      assertThat(vm.status()).isZero();
    }
    assertThat(result("replay", out, "--console"))
        .matches(r -> r.status == 0)
        .matches(r -> r.out.equals("while."))
        .matches(r -> r.err.contains("the same as the recording"));
  }

  @Test
  void aRecordingEndsWithItsMachine() throws Exception {
    String out = directory.resolve("recording").toString();
    try (RunProcess vm = guest("vm")) {
      assertThat(result("record", "--vm", "vm", "--out", out).status).isZero();
      vm.type("bye.q");
      assertThat(vm.status()).isZero();
      assertThat(vm.err()).isEmpty();
    }
    assertThat(result("replay", out, "--console", "--verify"))
        .matches(r -> r.status == 0)
        .matches(r -> r.out.contains("bye."));
  }

  @Test
  void whatCannotBeIsSaidInASentence() throws Exception {
    assertThat(result("record", "--vm", "nobody", "--out", "x"))
        .matches(r -> r.status == 1)
        .matches(r -> r.err.contains("no running machine nobody"));
    assertThat(result("record", "--stop").status).isEqualTo(ExitStatus.USAGE);
    assertThat(result("record", "--vm", "1", "--stop", "--image", "x"))
        .matches(r -> r.status == ExitStatus.USAGE)
        .matches(r -> r.err.contains("--image describes a machine that is to be started"));
  }
}
