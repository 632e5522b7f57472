package io.lockstep.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Small C programs on the bare board, on our machine and on QEMU's, and natively: CPU time of the
 * whole process, start-up and just-in-time compilation included.
 *
 * <p>Arguments: the folder with the sources ({@code benchmarks/src/guest/bare}), the number of
 * rounds, and kernels to run (default: all). Needs Debian's gcc, gcc-riscv64-linux-gnu and
 * qemu-system-misc.
 */
public final class BareMetalBench {
  private static final List<String> ALL =
      List.of("sieve", "hash", "chase", "recursion", "nbody", "bytecode");
  private static final int MEMORY_MIB = 64;

  private BareMetalBench() {}

  /** See the class comment. */
  public static void main(String[] args) throws IOException, InterruptedException {
    if (args.length < 2) {
      System.err.println("usage: BareMetalBench SOURCES ROUNDS [KERNEL...]");
      System.exit(2);
    }
    Path sources = Path.of(args[0]);
    List<String> kernels = args.length > 2 ? List.of(args).subList(2, args.length) : ALL;
    Path built = Files.createTempDirectory("bare");
    Ratios ratios = new Ratios("qemu");
    for (String kernel : kernels) {
      List<Contender> contenders = build(sources, built, kernel);
      for (int round = 0; round < Integer.parseInt(args[1]); round++) {
        String expected = null;
        for (Contender contender : contenders) {
          Contender.Result result = contender.run();
          if (expected != null && !result.output().equals(expected)) {
            System.err.printf(
                "%s on %s printed %s, not %s%n",
                kernel, contender.name(), result.output(), expected);
          }
          expected = result.output();
          ratios.add(kernel, contender.name(), result.time());
          System.err.printf("%s %s %s%n", kernel, contender.name(), result.time());
        }
      }
    }
    ratios.print(System.out);
  }

  private static List<Contender> build(Path sources, Path built, String kernel)
      throws IOException, InterruptedException {
    String source = sources.resolve(kernel + ".c").toString();
    String guest = built.resolve(kernel + ".elf").toString();
    String host = built.resolve(kernel + ".native").toString();
    String script = sources.resolve("link.ld").toString();
    List<String> cross =
        new ArrayList<>(List.of("riscv64-linux-gnu-gcc", "-O2", "-ffp-contract=off"));
    cross.addAll(List.of("-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "-ffreestanding"));
    cross.addAll(List.of("-fno-builtin", "-nostdlib", "-static", "-fno-pic", "-no-pie"));
    cross.addAll(List.of("-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments", "-T", script));
    cross.addAll(List.of(sources.resolve("start.S").toString(), source, "-o", guest));
    compile(cross);
    compile(List.of("gcc", "-O2", "-ffp-contract=off", "-DNATIVE", source, "-o", host));
    return List.of(
        Contender.qemu("qemu", MEMORY_MIB, "-bios", "none", "-kernel", guest),
        Contender.lockstep("regions", MEMORY_MIB, "bare", guest),
        new Contender("native", List.of(host)));
  }

  private static void compile(List<String> command) throws IOException, InterruptedException {
    int status = new ProcessBuilder(command).inheritIO().start().waitFor();
    if (status != 0) {
      throw new IOException(
          command.getFirst() + " failed; Debian's gcc and gcc-riscv64-linux-gnu are needed");
    }
  }
}
