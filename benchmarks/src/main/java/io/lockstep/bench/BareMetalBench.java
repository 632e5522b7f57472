package io.lockstep.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Small C programs on the bare board, on our machine and on QEMU's, and natively: wall time of the
 * whole process, start-up and just-in-time compilation included.
 *
 * <p>Arguments and output are those of {@code benchmarks/README.md}. The system property {@code
 * bench.workloads} may name some of the programs. Needs Debian's gcc, gcc-riscv64-linux-gnu and
 * qemu-system-misc.
 */
public final class BareMetalBench {
  private static final String ALL = "sieve hash chase recursion nbody bytecode";
  private static final int MEMORY_MIB = 64;
  private static final int ROUNDS = 3;

  /** How often a program computes what it computes: some seconds, and not only a start-up. */
  private static final int REPEAT = 4;

  private static final double TARGET_MEAN = 1.8;
  private static final double TARGET_EACH = 0.7;
  private static final String OURS = "lockstep-regions";

  private BareMetalBench() {}

  /** See the class comment. */
  public static void main(String[] args) throws IOException, InterruptedException {
    BenchArguments arguments = BenchArguments.parse(args);
    BenchOutput out = new BenchOutput("bare");
    Path built = Files.createTempDirectory("bare");
    Ratios ratios = new Ratios();
    try {
      for (String kernel : System.getProperty("bench.workloads", ALL).split(" ")) {
        measure(
            kernel, build(arguments, built, kernel), arguments.quick() ? 1 : ROUNDS, ratios, out);
      }
    } finally {
      try (var files = Files.list(built)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
      Files.delete(built);
    }
    ratios.print(out, OURS, "qemu", Ratios.Time::wall, "s", TARGET_MEAN, TARGET_EACH);
    ratios.print(out, OURS, "native", Ratios.Time::wall, "s", Ratios.NO_TARGET, Ratios.NO_TARGET);
  }

  private static void measure(
      String kernel, List<Contender> contenders, int rounds, Ratios ratios, BenchOutput out)
      throws IOException, InterruptedException {
    String expected = null;
    for (int round = 0; round < rounds; round++) {
      for (Contender contender : contenders) {
        Contender.Result result = contender.runToEnd();
        if (expected != null && !result.output().equals(expected)) {
          throw new IOException(
              "%s on %s printed %s, not %s"
                  .formatted(kernel, contender.name(), result.output(), expected));
        }
        expected = result.output();
        ratios.add(kernel, contender.name(), result.time());
        out.progress("%s %s %s".formatted(kernel, contender.name(), result.time()));
      }
    }
  }

  private static List<Contender> build(BenchArguments arguments, Path built, String kernel)
      throws IOException, InterruptedException {
    Path sources = arguments.sources().resolve("bare");
    String source = sources.resolve(kernel + ".c").toString();
    String guest = built.resolve(kernel + ".elf").toString();
    String host = built.resolve(kernel + ".native").toString();
    String script = sources.resolve("link.ld").toString();
    List<String> cross =
        new ArrayList<>(List.of("riscv64-linux-gnu-gcc", "-O2", "-ffp-contract=off"));
    String repeat = "-DREPEAT=" + (arguments.quick() ? 1 : REPEAT);
    cross.add(repeat);
    cross.addAll(List.of("-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "-ffreestanding"));
    cross.addAll(List.of("-fno-builtin", "-nostdlib", "-static", "-fno-pic", "-no-pie"));
    cross.addAll(List.of("-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments", "-T", script));
    cross.addAll(List.of(sources.resolve("start.S").toString(), source, "-o", guest));
    compile(cross);
    compile(List.of("gcc", "-O2", "-ffp-contract=off", repeat, "-DNATIVE", source, "-o", host));
    return List.of(
        Contender.qemu("qemu", MEMORY_MIB, "-bios", "none", "-kernel", guest),
        Contender.lockstep(arguments.lockstep(), "regions", MEMORY_MIB, "--firmware", guest),
        new Contender("native", List.of(host)));
  }

  private static void compile(List<String> command) throws IOException, InterruptedException {
    int status =
        new ProcessBuilder(command)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start()
            .waitFor();
    if (status != 0) {
      throw new IOException(
          command.getFirst() + " failed; Debian's gcc and gcc-riscv64-linux-gnu are needed");
    }
  }
}
