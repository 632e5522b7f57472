package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.jr.ob.JSON;

/** The demo as a user plays it, and that it leaves nothing behind however it ends. */
@Timeout(300)
class DemoTest {
  @TempDir Path dir;
  private RunProcess demo;
  private List<ProcessHandle> children = List.of();

  private void start() throws IOException {
    List<String> command = RunProcess.command();
    command.add(1, "-Djava.io.tmpdir=" + Files.createDirectory(dir.resolve("tmp")));
    // The JVM's own performance data would be in the temporary directory of the system.
    command.add(1, "-XX:-UsePerfData");
    command.addAll(List.of("demo", "--json"));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("LOCKSTEP_RUNTIME_DIR", dir.resolve("runtime").toString());
    demo = RunProcess.start(builder);
  }

  private void awaitEvent(String name) throws Exception {
    demo.awaitOut("{\"event\":\"" + name + "\"");
    children = demo.handle().descendants().toList();
    assertThat(children).isNotEmpty();
  }

  private void assertThatNothingIsLeft() throws Exception {
    for (ProcessHandle child : children) {
      child.onExit().get();
    }
    for (String place : List.of("tmp", "runtime")) {
      try (Stream<Path> files = Files.walk(dir.resolve(place))) {
        assertThat(files.filter(Files::isRegularFile)).as(demo.err()).isEmpty();
      }
      try (Stream<Path> files = Files.list(dir.resolve(place))) {
        assertThat(files).as(demo.err()).isEmpty();
      }
    }
  }

  @AfterEach
  void end() {
    demo.close();
    children.forEach(ProcessHandle::destroyForcibly);
  }

  @Test
  void bothHostsAreKilledAndNothingIsLost() throws Exception {
    start();
    awaitEvent("protected");

    assertThat(demo.status()).as(demo.err()).isEqualTo(ExitStatus.OK);
    List<String> lines = demo.out().lines().toList();
    Map<String, Object> summary = JSON.std.mapFrom(lines.getLast());
    assertThat(lines).filteredOn(line -> line.contains("\"kill\"")).hasSize(2);
    assertThat(lines).filteredOn(line -> line.contains("\"carried-on\"")).hasSize(2);
    assertThat(summary).containsEntry("event", "summary").containsEntry("missing", 0);
    assertThat((int) summary.get("acknowledged")).isGreaterThan(200);
    assertThat(demo.err()).isEmpty();
    assertThatNothingIsLeft();
  }

  @Test
  void interruptedItEndsWhatItHasStarted() throws Exception {
    start();
    awaitEvent("protected");

    demo.signal("INT");

    assertThat(demo.status()).isEqualTo(130);
    assertThat(demo.err()).isEmpty();
    assertThatNothingIsLeft();
  }

  @Test
  void aHostThatFailsEndsItWithASentence() throws Exception {
    start();
    awaitEvent("secondary");

    children.getFirst().destroyForcibly();

    assertThat(demo.status()).isEqualTo(ExitStatus.FAILURE);
    assertThat(demo.err()).startsWith("lockstep: ").hasLineCount(1);
    assertThat(demo.out()).contains("{\"event\":\"failed\"");
    assertThatNothingIsLeft();
  }
}
