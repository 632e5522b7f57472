package io.lockstep.bench;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Something that runs a workload as a process.
 *
 * @param name as shown in tables
 * @param command program and arguments
 */
record Contender(String name, List<String> command) {
  private static final String QEMU = "qemu-system-riscv64";

  /** Our machine in a JVM of its own. */
  static Contender lockstep(String engine, int memoryMib, String... arguments) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED",
                "@" + Path.of("cli", "bin", "jvm-options"),
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",
                "-XX:MaxDirectMemorySize=" + (memoryMib + 64) + "m",
                "-cp",
                System.getProperty("java.class.path"),
                GuestProcess.class.getName(),
                engine,
                Integer.toString(memoryMib)));
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

  /** Runs to the end; what it prints must contain {@code expected}, if that is not null. */
  Result run() throws IOException, InterruptedException {
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
