package io.lockstep.bench;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A virtual machine, ours or a peer's, that runs a workload as a process.
 *
 * @param name as shown in tables
 * @param command program and arguments
 */
record Contender(String name, List<String> command) {
  private static final String QEMU = "qemu-system-riscv64";

  /** Our machine as users start it; {@code arguments} are those of {@code lockstep run}. */
  static Contender lockstep(Path launcher, String engine, int memoryMib, String... arguments) {
    List<String> command = new ArrayList<>(List.of(launcher.toString(), "run", "--engine", engine));
    command.addAll(List.of("--memory", memoryMib + "M", "--no-reboot"));
    command.addAll(List.of(arguments));
    return new Contender("lockstep-" + engine, command);
  }

  /** QEMU's system emulation of the same board. */
  static Contender qemu(String name, int memoryMib, String... arguments) {
    List<String> command =
        new ArrayList<>(
            List.of(QEMU, "-M", "virt", "-m", Integer.toString(memoryMib), "-display", "none"));
    command.addAll(List.of("-serial", "stdio", "-monitor", "none", "-no-reboot"));
    command.addAll(List.of(arguments));
    return new Contender(name, command);
  }

  /** Told of each line that the guest writes to its console, and of the time until then. */
  @FunctionalInterface
  interface LineListener {
    /** Returns whether to go on. */
    boolean line(String text, Ratios.Time sinceStart) throws IOException;
  }

  /** Runs until the guest ends or the listener has had enough. Returns the time until then. */
  Ratios.Time run(LineListener listener) throws IOException {
    Process process =
        new ProcessBuilder(command)
            .redirectInput(new File("/dev/null"))
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    long started = System.nanoTime();
    Ratios.Time last = new Ratios.Time(0, 0);
    try (BufferedReader console =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = console.readLine(); line != null; line = console.readLine()) {
        last = time(process, started);
        if (!listener.line(line, last)) {
          break;
        }
      }
    } finally {
      process.destroyForcibly();
    }
    return last;
  }

  private static Ratios.Time time(Process process, long started) {
    double cpu = process.info().totalCpuDuration().orElse(Duration.ZERO).toMillis() / 1e3;
    return new Ratios.Time(cpu, (System.nanoTime() - started) / 1e9);
  }

  /** Runs to the end, and measures from the process's start to its end. */
  Result runToEnd() throws IOException, InterruptedException {
    List<String> timed =
        new ArrayList<>(List.of("bash", "-c", "TIMEFORMAT='%U %S %R'; time \"$@\""));
    timed.add(name);
    timed.addAll(command);
    File errors = File.createTempFile("bench", ".err");
    try {
      Process process =
          new ProcessBuilder(timed)
              .redirectInput(new File("/dev/null"))
              .redirectError(errors)
              .start();
      String output =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      process.waitFor(1, TimeUnit.MINUTES);
      List<String> lines = java.nio.file.Files.readAllLines(errors.toPath());
      String[] numbers = lines.getLast().split(" ");
      double cpu = Double.parseDouble(numbers[0]) + Double.parseDouble(numbers[1]);
      return new Result(output, new Ratios.Time(cpu, Double.parseDouble(numbers[2])));
    } finally {
      errors.delete();
    }
  }

  /** What a run printed, and what it took. */
  record Result(String output, Ratios.Time time) {}
}
