package io.lockstep.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * Workloads on Debian, in our machine and in QEMU's with and without instruction counting, with the
 * same kernel, initramfs and script: wall time between two markers that the guest prints, and the
 * CPU time that the process took meanwhile.
 *
 * <p>Arguments and output are those of {@code benchmarks/README.md}; the image is {@code dev}.
 * System properties narrow it down: {@code bench.workloads} (names as in {@code
 * guest/linux/run.sh}), {@code bench.contenders} (of {@code regions interpreter qemu qemu-icount}),
 * {@code bench.rounds}. Needs Debian's gcc-riscv64-linux-gnu and qemu-system-misc.
 */
public final class GuestBench {
  private static final int MEMORY_MIB = 1024;
  private static final int ROUNDS = 3;
  private static final String COMMAND_LINE =
      "console=ttyS0 quiet lockstep.services=none lockstep.ip=off lockstep.poweroff";
  private static final String KERNELS = "sieve hash recursion nbody bytecode";

  private GuestBench() {}

  /** See the class comment. */
  public static void main(String[] args) throws IOException, InterruptedException {
    BenchArguments arguments = BenchArguments.parse(args);
    BenchOutput out = new BenchOutput("debian");
    if (arguments.image("dev").isEmpty()) {
      out.skipped("all workloads", arguments.missingImage("dev", ""));
      return;
    }
    String workloads =
        System.getProperty("bench.workloads", arguments.quick() ? "sha256 forks" : "");
    String contenders =
        System.getProperty(
            "bench.contenders", arguments.quick() ? "qemu regions" : "qemu regions qemu-icount");
    int rounds = arguments.quick() ? 1 : Integer.getInteger("bench.rounds", ROUNDS);
    Path image = arguments.image("dev").orElseThrow();
    Path initrd = initrd(image, arguments.sources());
    Ratios ratios = new Ratios();
    try {
      for (int round = 0; round < rounds; round++) {
        for (String name : contenders.split("[ ,]+")) {
          measure(contender(arguments, name, image, initrd, workloads), ratios, out);
        }
      }
    } finally {
      Files.delete(initrd);
    }
    for (String ours : List.of("lockstep-regions", "lockstep-interpreter")) {
      ratios.print(out, ours, "qemu", Ratios.Time::wall, "s", 1.3, 0.7);
      ratios.print(out, ours, "qemu-icount", Ratios.Time::wall, "s", 3, 1);
      ratios.print(
          out, ours, "qemu", Ratios.Time::cpu, "s CPU", Ratios.NO_TARGET, Ratios.NO_TARGET);
    }
  }

  private static Contender contender(
      BenchArguments arguments, String name, Path image, Path initrd, String workloads) {
    String line =
        COMMAND_LINE + " lockstep.run=\"sh /bench/run.sh " + workloads.replace(',', ' ') + "\"";
    LinuxGuest guest = new LinuxGuest(image.resolve("kernel"), initrd, MEMORY_MIB, line);
    return switch (name) {
      case "qemu" -> guest.inQemu(name);
      case "qemu-icount" -> guest.inQemu(name, "-icount", "shift=auto");
      default -> guest.inLockstep(arguments.lockstep(), name);
    };
  }

  /** The image's initramfs with the script and our kernels behind it. */
  private static Path initrd(Path image, Path sources) throws IOException, InterruptedException {
    CpioArchive archive =
        new CpioArchive()
            .directory("bench")
            .program("bench/run.sh", Files.readAllBytes(sources.resolve("linux/run.sh")));
    for (String kernel : KERNELS.split(" ")) {
      Path program = Files.createTempFile("bench", ".riscv64");
      List<String> command =
          new ArrayList<>(List.of("riscv64-linux-gnu-gcc", "-O2", "-ffp-contract=off", "-static"));
      command.addAll(List.of("-DNATIVE", sources.resolve("bare/" + kernel + ".c").toString()));
      command.addAll(List.of("-o", program.toString()));
      int status = new ProcessBuilder(command).start().waitFor();
      if (status == 0) {
        archive.program("bench/" + kernel, Files.readAllBytes(program));
      }
      Files.delete(program);
    }
    Path initrd = Files.createTempFile("bench", ".initrd");
    Files.copy(image.resolve("initrd"), initrd, StandardCopyOption.REPLACE_EXISTING);
    Files.write(initrd, archive.toBytes(), StandardOpenOption.APPEND);
    return initrd;
  }

  private static void measure(Contender contender, Ratios ratios, BenchOutput out)
      throws IOException {
    Markers markers = new Markers(contender, ratios, out);
    contender.run(markers::line);
    if (!markers.done) {
      throw new IOException(contender.name() + " ended before its workloads were done");
    }
  }

  /** Reads what {@code run.sh} prints. */
  private static final class Markers {
    private final Contender contender;
    private final Ratios ratios;
    private final BenchOutput out;
    private Ratios.Time begin = new Ratios.Time(0, 0);
    private boolean booted;
    private boolean done;

    Markers(Contender contender, Ratios ratios, BenchOutput out) {
      this.contender = contender;
      this.ratios = ratios;
      this.out = out;
    }

    boolean line(String text, Ratios.Time now) throws IOException {
      int marker = text.indexOf("@@");
      if (marker < 0) {
        return true;
      }
      String[] words = text.substring(marker).split(" ");
      switch (words[0]) {
        case "@@begin" -> {
          if (!booted) {
            out.progress("boot %s %s".formatted(contender.name(), now));
            booted = true;
          }
          begin = now;
        }
        case "@@end" -> {
          // What fails at once would pass for quick.
          if (words.length != 3 || !words[2].strip().equals("0")) {
            throw new IOException(
                "%s failed in the guest of %s".formatted(words[1], contender.name()));
          }
          Ratios.Time taken = now.since(begin);
          ratios.add(words[1], contender.name(), taken);
          out.progress("%s %s %s".formatted(words[1], contender.name(), taken));
        }
        case "@@done" -> done = true;
        default -> {}
      }
      return !done;
    }
  }
}
