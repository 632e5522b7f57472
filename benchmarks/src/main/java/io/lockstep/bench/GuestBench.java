package io.lockstep.bench;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Workloads on Debian, in our machine and in QEMU's with and without instruction counting, with the
 * same kernel, initramfs and script: CPU time of the whole process between two markers that the
 * guest prints.
 *
 * <p>Arguments: a folder with {@code kernel} and {@code initrd}, as {@code lockstep image build}
 * makes it with Python, gcc, OpenSSL, SQLite, gzip and awk; the folder {@code
 * benchmarks/src/guest}; the number of rounds; the contenders, from {@code regions interpreter qemu
 * qemu-icount} (default: all but the interpreter). Needs Debian's gcc-riscv64-linux-gnu and
 * qemu-system-misc.
 */
public final class GuestBench {
  private static final int MEMORY_MIB = 1024;
  private static final String COMMAND_LINE =
      "console=ttyS0 quiet lockstep.services=none lockstep.ip=off"
          + " lockstep.run=\"sh /bench/run.sh\" lockstep.poweroff";

  private GuestBench() {}

  /** See the class comment. */
  public static void main(String[] args) throws IOException, InterruptedException {
    if (args.length < 3) {
      System.err.println("usage: GuestBench IMAGE SOURCES ROUNDS [CONTENDER...]");
      System.exit(2);
    }
    List<String> names =
        args.length > 3
            ? List.of(args).subList(3, args.length)
            : List.of("qemu", "regions", "qemu-icount");
    Path image = Path.of(args[0]);
    Path initrd = initrd(image, Path.of(args[1]));
    Ratios ratios = new Ratios("qemu");
    for (int round = 0; round < Integer.parseInt(args[2]); round++) {
      for (String name : names) {
        measure(contender(name, image.resolve("kernel").toString(), initrd.toString()), ratios);
      }
    }
    ratios.print(System.out);
    Files.delete(initrd);
  }

  private static Contender contender(String name, String kernel, String initrd) {
    if (!name.startsWith("qemu")) {
      return Contender.lockstep(name, MEMORY_MIB, "linux", kernel, initrd, COMMAND_LINE);
    }
    List<String> arguments = new ArrayList<>(List.of("-kernel", kernel, "-initrd", initrd));
    arguments.addAll(List.of("-append", COMMAND_LINE));
    if (name.equals("qemu-icount")) {
      arguments.addAll(List.of("-icount", "shift=auto"));
    }
    return Contender.qemu(name, MEMORY_MIB, arguments.toArray(String[]::new));
  }

  /** The image's initramfs with the script and our kernels behind it. */
  private static Path initrd(Path image, Path sources) throws IOException, InterruptedException {
    CpioArchive archive =
        new CpioArchive()
            .directory("bench")
            .program("bench/run.sh", Files.readAllBytes(sources.resolve("linux/run.sh")));
    for (String kernel : List.of("sieve", "hash", "recursion", "nbody", "bytecode")) {
      Path program = Files.createTempFile("bench", ".riscv64");
      int status =
          new ProcessBuilder(
                  "riscv64-linux-gnu-gcc",
                  "-O2",
                  "-ffp-contract=off",
                  "-static",
                  "-DNATIVE",
                  sources.resolve("bare/" + kernel + ".c").toString(),
                  "-o",
                  program.toString())
              .inheritIO()
              .start()
              .waitFor();
      if (status == 0) {
        archive.program("bench/" + kernel, Files.readAllBytes(program));
      }
      Files.delete(program);
    }
    Path initrd = Files.createTempFile("bench", ".initrd");
    Files.copy(image.resolve("initrd"), initrd, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    Files.write(initrd, archive.toBytes(), StandardOpenOption.APPEND);
    return initrd;
  }

  private static void measure(Contender contender, Ratios ratios) throws IOException {
    Process process =
        new ProcessBuilder(contender.command())
            .redirectInput(new File("/dev/null"))
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    long started = System.nanoTime();
    Ratios.Time before = new Ratios.Time(0, 0);
    boolean booted = false;
    try (BufferedReader console =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = console.readLine(); line != null; line = console.readLine()) {
        int marker = line.indexOf("@@");
        String[] words = marker < 0 ? new String[] {""} : line.substring(marker).split(" ");
        if (words[0].equals("@@done")) {
          break;
        }
        Ratios.Time now = now(process, started);
        if (words[0].equals("@@begin")) {
          if (!booted) {
            report(ratios, "boot", contender, before, now);
            booted = true;
          }
          before = now;
        } else if (words[0].equals("@@end")) {
          report(ratios, words[1], contender, before, now);
        }
      }
    } finally {
      process.destroyForcibly();
    }
  }

  private static Ratios.Time now(Process process, long started) {
    double cpu = process.info().totalCpuDuration().orElse(Duration.ZERO).toMillis() / 1e3;
    return new Ratios.Time(cpu, (System.nanoTime() - started) / 1e9);
  }

  private static void report(
      Ratios ratios, String workload, Contender contender, Ratios.Time from, Ratios.Time to) {
    Ratios.Time taken = new Ratios.Time(to.cpu() - from.cpu(), to.wall() - from.wall());
    ratios.add(workload, contender.name(), taken);
    System.err.printf("%s %s %s%n", workload, contender.name(), taken);
  }
}
