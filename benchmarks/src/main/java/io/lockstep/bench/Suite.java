package io.lockstep.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * All benchmarks, one after the other, and the report: what {@code benchmarks/run} starts. See
 * {@code benchmarks/README.md}.
 */
public final class Suite {
  private static final String USAGE =
      "usage: benchmarks/run [--quick] [--out DIR] [--only NAME,...] [--images DIR] [--list]";

  /**
   * A benchmark.
   *
   * @param name in results and for {@code --only}
   * @param title in the report
   * @param about what it measures, in a sentence or two
   * @param mainClass simple name of its class in this package
   * @param quickSeconds limit with {@code --quick}
   * @param fullSeconds limit otherwise
   * @param needs what it needs beyond this tree
   */
  record Entry(
      String name,
      String title,
      String about,
      String mainClass,
      int quickSeconds,
      int fullSeconds,
      String needs) {}

  static final List<Entry> ALL =
      List.of(
          new Entry(
              "bare",
              "Guest speed: programs on the bare board",
              "How fast a guest computes, against QEMU's system emulation, which does not count"
                  + " instructions as Lockstep always does, and against the computer itself.",
              "BareMetalBench",
              50,
              1800,
              "qemu-system-misc, gcc, gcc-riscv64-linux-gnu"),
          new Entry(
              "debian",
              "Guest speed: programs on Debian",
              "The same for programs on a stock Debian, against QEMU as it is, and against QEMU"
                  + " counting instructions.",
              "GuestBench",
              75,
              3600,
              "qemu-system-misc, gcc-riscv64-linux-gnu; image dev"),
          new Entry(
              "boot",
              "Boot of Debian",
              "How soon a stock Debian is up, in both execution tiers, against QEMU.",
              "BootBench",
              40,
              900,
              "qemu-system-misc; image mini"),
          new Entry(
              "recording",
              "Recording and replay",
              "What recording costs, how large the log is, and how long a replay takes.",
              "RecordingBench",
              75,
              1800,
              "image mini; qemu-system-misc for the peer"),
          new Entry(
              "protected",
              "Protected against unprotected",
              "What is left of a guest's speed when it is protected, and how much later a reply"
                  + " comes. Both hosts, switch and client run on this computer: with two"
                  + " processors they share them.",
              "ProtectedBench",
              75,
              1800,
              "images redis and dev"),
          new Entry(
              "failover",
              "Attach, kill, and the pause",
              "How long a client waits on its connection after kill -9 of a host, and how long the"
                  + " guest stops while a secondary is attached.",
              "FailoverBench",
              60,
              1800,
              "image redis"),
          new Entry(
              "network",
              "The virtual network",
              "What the switch and the gateway carry between a guest and a client on the host.",
              "NetworkBench",
              50,
              900,
              "qemu-system-misc, gcc-riscv64-linux-gnu; image mini"));

  private Suite() {}

  /** See the class comment. */
  public static void main(String[] args) throws IOException, InterruptedException {
    boolean quick = false;
    Path out = Path.of("benchmarks", "target", "report");
    Path images = defaultImages();
    Set<String> only = Set.of();
    for (int i = 0; i < args.length; i++) {
      switch (args[i]) {
        case "--quick" -> quick = true;
        case "--out" -> out = Path.of(value(args, ++i));
        case "--images" -> images = Path.of(value(args, ++i));
        case "--only" -> only = Set.of(value(args, ++i).split(","));
        case "--list" -> {
          ALL.forEach(e -> System.out.printf("%-10s %s; needs %s%n", e.name, e.title, e.needs));
          return;
        }
        default -> fail(USAGE);
      }
    }
    for (String name : only) {
      if (ALL.stream().noneMatch(e -> e.name.equals(name))) {
        fail("There is no benchmark '%s'; --list names them.".formatted(name));
      }
    }
    run(quick, out, images, only);
  }

  private static void run(boolean quick, Path out, Path images, Set<String> only)
      throws IOException, InterruptedException {
    // Before hours of measuring, not after.
    Files.createDirectories(out);
    long start = System.nanoTime();
    Report report = new Report(quick);
    List<Entry> chosen = ALL.stream().filter(e -> only.isEmpty() || only.contains(e.name)).toList();
    int number = 0;
    for (Entry entry : chosen) {
      System.err.printf("[%d/%d] %s (%s)%n", ++number, chosen.size(), entry.title, entry.name);
      report.add(entry, BenchProcess.run(entry, arguments(quick, images), limit(entry, quick)));
      report.write(out);
    }
    System.err.printf(
        "Done in %d s: %s%n",
        (System.nanoTime() - start) / 1_000_000_000, out.resolve("report.md"));
  }

  private static int limit(Entry entry, boolean quick) {
    return quick ? entry.quickSeconds : entry.fullSeconds;
  }

  private static List<String> arguments(boolean quick, Path images) {
    List<String> arguments = new ArrayList<>();
    if (quick) {
      arguments.add("--quick");
    }
    arguments.addAll(List.of("--images", images.toAbsolutePath().toString()));
    return arguments;
  }

  private static Path defaultImages() {
    String own = System.getenv("LOCKSTEP_BENCH_IMAGES");
    if (own != null && !own.isEmpty()) {
      return Path.of(own);
    }
    String cache = System.getenv("XDG_CACHE_HOME");
    Path base =
        cache != null && !cache.isEmpty()
            ? Path.of(cache)
            : Path.of(System.getProperty("user.home"), ".cache");
    return base.resolve("lockstep").resolve("images");
  }

  private static String value(String[] args, int i) {
    if (i >= args.length) {
      fail(USAGE);
    }
    return args[i];
  }

  private static void fail(String sentence) {
    System.err.println("benchmarks/run: " + sentence);
    System.exit(2);
  }
}
