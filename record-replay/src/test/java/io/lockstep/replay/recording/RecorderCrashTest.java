package io.lockstep.replay.recording;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.lockstep.replay.sim.ToyMachine;
import io.lockstep.replay.store.LogStoreReader;
import io.lockstep.vm.port.OutputSink;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(300)
class RecorderCrashTest {
  private static final long LOG_BYTES = 200_000;

  private static final int FILE_KIB_MAX = 1536;

  @TempDir Path temp;

  @Test
  void aKilledRecorderLeavesARecordingThatReplaysAndItNeverOpenedASocket() throws Exception {
    Path directory = temp.resolve("killed");
    Process process = start(directory);
    try {
      while (soundBytes(directory) < LOG_BYTES) {
        assertThat(process.isAlive()).as("recorder process").isTrue();
        assertThat(sockets(process.pid())).isEmpty();
        TimeUnit.MILLISECONDS.sleep(20);
      }
    } finally {
      process.destroyForcibly().waitFor();
    }
    Recording recording = Recording.open(directory);
    assertThat(recording.isSealed()).isFalse();
    ReplayVerdict verdict =
        new ReplaySession(recording, ToyMachine::new, OutputSink.NONE, 0, new ReplayUntil.End())
            .run();
    assertThat(verdict)
        .isInstanceOfSatisfying(
            ReplayVerdict.Same.class,
            same -> {
              assertThat(same.log().logCase().lossy()).isTrue();
              assertThat(same.digests()).isPositive();
              assertThat(same.sentence()).contains("last good entry");
            });
  }

  @Test
  void theQueuesUsageReportingIsNotEvenThere() {
    assertThatThrownBy(() -> Class.forName("net.openhft.chronicle.analytics.Analytics"))
        .isInstanceOf(ClassNotFoundException.class);
  }

  /** As with a full disk: the operating system does not let a file become longer. */
  @Test
  void whenTheDiskIsFullTheMachineRunsOnAndTheRecordingReplaysToItsLastGoodEntry()
      throws Exception {
    assumeTrue(
        Files.isExecutable(Path.of("/bin/bash")), "needs bash: install Debian's package bash");
    Path directory = temp.resolve("full");
    List<String> command = new ArrayList<>();
    command.addAll(List.of("/bin/bash", "-c", "ulimit -f " + FILE_KIB_MAX + "; exec \"$@\"", "-"));
    command.addAll(command(FullDiskProcess.class, directory));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isZero();
    assertThat(said)
        .containsPattern("(?m)^failed: .*log")
        .contains("ran on")
        .containsPattern("(?m)^incomplete: ");
    Recording recording = Recording.open(directory);
    assertThat(recording.isSealed()).isFalse();
    ReplayVerdict verdict =
        new ReplaySession(recording, ToyMachine::new, OutputSink.NONE, 0, new ReplayUntil.End())
            .run();
    assertThat(verdict)
        .as(said)
        .isInstanceOfSatisfying(
            ReplayVerdict.Same.class,
            same -> {
              assertThat(same.log().logCase().lossy()).isTrue();
              assertThat(same.log().soundBytes()).isGreaterThan(LOG_BYTES);
              assertThat(same.digests()).isPositive();
            });
  }

  private static Process start(Path directory) throws IOException {
    return new ProcessBuilder(command(RecorderProcess.class, directory))
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .start();
  }

  private static List<String> command(Class<?> main, Path directory) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    for (String argument : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      // What the queue needs of the JVM, without the test runner's agents.
      if (argument.startsWith("--")) {
        command.add(argument);
      }
    }
    command.add("-Xmx256m");
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(main.getName());
    command.add(directory.toString());
    return command;
  }

  private static long soundBytes(Path directory) throws IOException {
    if (!Files.exists(directory.resolve(RecordingInfo.FILE))) {
      return 0;
    }
    try (LogStoreReader log = Recording.open(directory).log()) {
      while (log.next() != null) {
        // To its end.
      }
      return log.state().soundBytes();
    }
  }

  /** Open sockets of a process, on Linux. */
  private static List<String> sockets(long pid) throws IOException {
    Path descriptors = Path.of("/proc", Long.toString(pid), "fd");
    if (!Files.isDirectory(descriptors)) {
      return List.of();
    }
    List<String> out = new ArrayList<>();
    try (Stream<Path> links = Files.list(descriptors)) {
      for (Path link : links.toList()) {
        String target = target(link);
        if (target.startsWith("socket:")) {
          out.add(target);
        }
      }
    }
    return out;
  }

  private static String target(Path link) {
    try {
      return Files.readSymbolicLink(link).toString();
    } catch (IOException e) {
      return "";
    }
  }
}
