package io.lockstep.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import tools.jackson.core.JacksonException;
import tools.jackson.jr.ob.JSON;

/** Runs one benchmark as a process, and collects what it says. */
final class BenchProcess {
  private BenchProcess() {}

  /**
   * Runs a benchmark to its end, or to its time limit.
   *
   * @return its lines; one that says "not measured" if it failed or is not there
   */
  static List<Map<String, Object>> run(Suite.Entry entry, List<String> arguments, int limitSeconds)
      throws IOException, InterruptedException {
    String mainClass = Suite.class.getPackageName() + "." + entry.mainClass();
    try {
      Class.forName(mainClass, false, Suite.class.getClassLoader());
    } catch (ClassNotFoundException e) {
      return List.of(notMeasured(entry, "This benchmark is not part of this tree yet."));
    }
    // What a benchmark that is ended leaves behind goes with this.
    Path scratch = Files.createTempDirectory("lockstep-bench-");
    try {
      return runCommand(entry, command(mainClass, scratch, arguments), limitSeconds);
    } finally {
      Tools.delete(scratch);
    }
  }

  private static List<Map<String, Object>> runCommand(
      Suite.Entry entry, List<String> command, int limitSeconds)
      throws IOException, InterruptedException {
    List<Map<String, Object>> lines = new ArrayList<>();
    String[] lastWords = {"it said nothing."};
    Process process = new ProcessBuilder(command).start();
    // Also when the whole suite is interrupted.
    Thread onSignal = new Thread(() -> end(process), "bench-cleanup");
    Runtime.getRuntime().addShutdownHook(onSignal);
    Thread out = reader(process.getInputStream(), line -> addLine(lines, line));
    Thread err =
        reader(
            process.getErrorStream(),
            line -> {
              lastWords[0] = line;
              System.err.println("    " + line);
            });
    boolean ended = process.waitFor(limitSeconds, TimeUnit.SECONDS);
    if (!ended) {
      end(process);
    }
    out.join();
    err.join();
    Runtime.getRuntime().removeShutdownHook(onSignal);
    if (!ended) {
      lines.add(
          notMeasured(entry, "It took more than %d s and was ended.".formatted(limitSeconds)));
    } else if (process.exitValue() != 0) {
      lines.add(notMeasured(entry, "It failed: " + lastWords[0]));
    } else if (lines.isEmpty()) {
      lines.add(notMeasured(entry, "It ended without a result."));
    }
    return lines;
  }

  private static List<String> command(String mainClass, Path scratch, List<String> arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.add("-Djava.io.tmpdir=" + scratch);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), mainClass));
    command.addAll(arguments);
    return command;
  }

  /** Ends a process with all that it started. */
  private static void end(Process process) {
    List<ProcessHandle> all = process.descendants().toList();
    all.forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
    // Before its files are removed it must not make new ones.
    all.forEach(p -> p.onExit().completeOnTimeout(p, 5, TimeUnit.SECONDS).join());
  }

  private static void addLine(List<Map<String, Object>> lines, String line) {
    try {
      lines.add(JSON.std.mapFrom(line));
    } catch (JacksonException e) {
      // Tables for people, of benchmarks that print one too.
      System.err.println("    " + line);
    }
  }

  private static Map<String, Object> notMeasured(Suite.Entry entry, String sentence) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("bench", entry.name());
    line.put("name", entry.title());
    line.put("skipped", sentence);
    return line;
  }

  private static Thread reader(InputStream in, Consumer<String> lines) {
    return Thread.ofVirtual()
        .start(
            () -> {
              try (BufferedReader reader =
                  new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
                reader.lines().forEach(lines);
              } catch (IOException | UncheckedIOException e) {
                // The stream ends with the process.
              }
            });
  }
}
