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
   * @param claim what it is to show, in a sentence or two
   * @param mainClass simple name of its class in this package
   * @param quickSeconds limit with {@code --quick}
   * @param fullSeconds limit otherwise
   * @param needs what it needs beyond this tree
   */
  record Entry(
      String name,
      String title,
      String claim,
      String mainClass,
      int quickSeconds,
      int fullSeconds,
      String needs) {}

  static final List<Entry> ALL =
      List.of(
          new Entry(
              "bare",
              "Guest speed: programs on the bare board",
              "A guest that computes runs as fast as in QEMU's system emulation, which does not"
                  + " count instructions as Lockstep always does.",
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
              "A stock Debian is up about as soon as in QEMU.",
              "BootBench",
              40,
              900,
              "qemu-system-misc; image mini"),
          new Entry(
              "recording",
              "Recording and replay",
              "Recording costs a few percent, an idle guest's log is almost empty, and a replay"
                  + " takes no longer than the run.",
              "RecordingBench",
              75,
              1800,
              "image mini; qemu-system-misc for the peer"),
          new Entry(
              "protected",
              "Protected against unprotected",
              "A protected guest computes at nearly the speed of an unprotected one, and a reply"
                  + " comes a fraction of a millisecond later. Two free processor cores are"
                  + " assumed.",
              "ProtectedBench",
              75,
              1800,
              "images redis and dev"),
          new Entry(
              "failover",
              "Attach, kill, and the pause",
              "After kill -9 of the primary a client waits for a moment on the same connection; the"
                  + " guest hardly stops while a secondary is attached.",
              "FailoverBench",
              60,
              1800,
              "image redis"),
          new Entry(
              "network",
              "The virtual network",
              "The switch and the gateway carry what a guest can send.",
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
