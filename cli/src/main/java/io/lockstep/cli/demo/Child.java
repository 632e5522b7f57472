package io.lockstep.cli.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Another {@code lockstep} process: a switch, a replica. Its standard output is read line by line;
 * what it says on standard error goes to a file in the demo's directory.
 */
final class Child implements AutoCloseable {
  private static final long EXIT_WAIT_MS = 3_000;

  private final String name;
  private final Process process;
  private final CompletableFuture<String> ready = new CompletableFuture<>();
  private final Path log;
  private volatile boolean killed;

  private Child(String name, Process process, Path log) {
    this.name = name;
    this.process = process;
    this.log = log;
  }

  /**
   * Starts {@code lockstep} with the present process's own Java and options.
   *
   * @param name for messages and the log file
   * @param directory where the log file goes
   * @param arguments the subcommand and its options
   */
  static Child start(String name, Path directory, List<String> arguments) throws IOException {
    List<String> command = new ArrayList<>(ownCommand());
    command.addAll(arguments);
    Path log = directory.resolve(name + ".log");
    Process process =
        new ProcessBuilder(command)
            .redirectError(log.toFile())
            .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
            .start();
    Child child = new Child(name, process, log);
    Thread.ofVirtual().name("read-" + name).start(child::readLines);
    return child;
  }

  /** The command that started this very process, up to its own arguments. */
  private static List<String> ownCommand() {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    String classPath = System.getProperty("java.class.path");
    if (classPath.endsWith(".jar") && !classPath.contains(java.io.File.pathSeparator)) {
      command.add("-jar");
      command.add(classPath);
    } else {
      command.add("-cp");
      command.add(classPath);
      command.add("io.lockstep.cli.Main");
    }
    return command;
  }

  private void readLines() {
    try (BufferedReader in =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        if (line.startsWith("{\"event\":\"ready\"")) {
          ready.complete(line);
        }
      }
    } catch (IOException | UncheckedIOException e) {
      // The stream ends with the process, one way or the other.
    }
    ready.completeExceptionally(new IOException("it ended before it was ready"));
  }

  /** Its ready line, a JSON object. */
  String awaitReady(long timeoutMs) throws DemoException {
    try {
      return ready.get(timeoutMs, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DemoException("The demo was interrupted.");
    } catch (java.util.concurrent.ExecutionException | java.util.concurrent.TimeoutException e) {
      throw new DemoException("The %s did not start: %s".formatted(name, lastWords()));
    }
  }

  /** What it said last on standard error, or a hint where to look. */
  String lastWords() {
    try {
      List<String> lines = java.nio.file.Files.readAllLines(log);
      return lines.isEmpty() ? "it said nothing." : lines.getLast();
    } catch (IOException e) {
      return "see " + log;
    }
  }

  String name() {
    return name;
  }

  long pid() {
    return process.pid();
  }

  /** Whether {@link #kill} has been called. */
  boolean wasKilled() {
    return killed;
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /**
   * {@code kill -9}: no handler runs, nothing is flushed, nobody is told. Returns when it was sent,
   * in ns.
   */
  long kill() {
    killed = true;
    long now = System.nanoTime();
    process.destroyForcibly();
    return now;
  }

  /** Ends the process, politely first. */
  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(EXIT_WAIT_MS, TimeUnit.MILLISECONDS)) {
        process.destroyForcibly().waitFor(EXIT_WAIT_MS, TimeUnit.MILLISECONDS);
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
