package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.host.control.ControlClient;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A reader of a guide at a keyboard: one shell for most commands, and a terminal of its own for
 * each command that goes on until it is stopped. Port numbers are exchanged for free ones, the same
 * for the same.
 */
final class Terminals implements AutoCloseable {
  private static final Pattern LONG_RUNNING =
      Pattern.compile("lockstep (switch|run|secondary|record) .*");

  private static final Pattern PORT = Pattern.compile("(?<=[:/])7[0-9]{3}\\b");
  private static final int POLLS = 6_000;

  private final Path dir;
  private final Path runtime;
  private final RunProcess shell;
  private final List<RunProcess> open = new ArrayList<>();
  private final Map<String, Integer> ports = new HashMap<>();
  private RunProcess recording;
  private int commands;

  Terminals(Path dir) throws IOException {
    this.dir = dir;
    this.runtime = dir.resolve("runtime");
    Path bin = Files.createDirectories(dir.resolve("bin"));
    StringBuilder script = new StringBuilder("#!/bin/sh\nexec");
    RunProcess.command().forEach(word -> script.append(" '").append(word).append('\''));
    Path launcher = Files.writeString(bin.resolve("lockstep"), script.append(" \"$@\"\n"));
    assertThat(launcher.toFile().setExecutable(true)).isTrue();
    shell = RunProcess.start(shell("exec 2>&1; set -o pipefail; exec bash --norc -s"));
  }

  private ProcessBuilder shell(String command) throws IOException {
    ProcessBuilder builder = new ProcessBuilder("bash", "--norc", "-c", command);
    builder.directory(Files.createDirectories(dir.resolve("work")).toFile());
    builder.environment().put("LOCKSTEP_RUNTIME_DIR", runtime.toString());
    builder
        .environment()
        .merge("PATH", dir.resolve("bin").toString(), (old, bin) -> bin + ":" + old);
    return builder;
  }

  /** Types a line, and waits until there is the next thing to do. */
  void run(String documented) throws Exception {
    String line = withFreePorts(documented);
    if (line.isEmpty() || line.startsWith("#")) {
      return;
    }
    if (recording != null && line.matches("lockstep (replay|log) .*")) {
      assertThat(recording.status()).as(recording.err()).isZero();
      recording = null;
    }
    if (!LONG_RUNNING.matcher(line).matches()) {
      shell.type(line + "\nprintf '@@%d:%d@@\\n' " + commands + " $?\n");
      shell.awaitOut("@@" + commands + ":");
      assertThat(shell.out()).as(line).contains("@@" + commands + ":0@@");
      commands++;
      return;
    }
    RunProcess terminal = RunProcess.start(shell("exec " + line));
    open.add(terminal);
    if (line.startsWith("lockstep record")) {
      recording = terminal;
    }
    // Replicas say so on stderr, a switch on stdout, and any guest of ours on its console.
    if (line.contains("lockstep secondary") || line.contains("--protect-listen")) {
      terminal.awaitErr("\"event\":\"ready\"");
    } else {
      terminal.awaitOut("ready");
    }
    if (line.startsWith("lockstep secondary")) {
      awaitProtection();
    }
  }

  /** What a reader sees before going on: both replicas say that the guest is protected. */
  private void awaitProtection() throws Exception {
    String said = "";
    for (int i = 0; i < POLLS && !said.matches("(?s).*\"protected\".*\"following\".*"); i++) {
      StringBuilder all = new StringBuilder();
      for (String role : List.of("\"role\":\"protected\"", "\"role\":\"following\"")) {
        for (long pid : ControlClient.processes(runtime)) {
          ControlClient.ask(runtime, pid, "status")
              .filter(s -> s.contains(role) && s.contains("\"protected\":true"))
              .ifPresent(all::append);
        }
      }
      said = all.toString();
      Thread.sleep(10);
    }
    assertThat(said).contains("\"role\":\"following\"");
  }

  private String withFreePorts(String line) throws IOException {
    Matcher matcher = PORT.matcher(line);
    StringBuilder out = new StringBuilder();
    while (matcher.find()) {
      // Within the guest, ports stay what they are.
      boolean guests = line.startsWith("10.0.2.15:", Math.max(0, matcher.start() - 10));
      guests |= line.startsWith("::", Math.max(0, matcher.start() - 2));
      String port = guests ? matcher.group() : Integer.toString(free(matcher.group()));
      matcher.appendReplacement(out, port);
    }
    return matcher.appendTail(out).toString();
  }

  private int free(String port) throws IOException {
    Integer known = ports.get(port);
    if (known == null) {
      try (ServerSocket socket = new ServerSocket(0)) {
        known = socket.getLocalPort();
      }
      ports.put(port, known);
    }
    return known;
  }

  @Override
  public void close() {
    shell.close();
    open.reversed().forEach(RunProcess::close);
  }
}
