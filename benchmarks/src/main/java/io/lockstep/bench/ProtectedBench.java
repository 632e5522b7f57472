package io.lockstep.bench;

import io.lockstep.bench.BenchOutput.Better;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The same work on a protected and on an unprotected machine, in turn; both behind a switch. Two
 * free processor cores are assumed: the secondary executes as much as the primary.
 */
public final class ProtectedBench {
  private static final String UNPROTECTED = "unprotected";
  private static final String VMWARE = "VMware FT, 2010";

  /** So that a host that is busy for a moment does not end a measurement. */
  private static final String SUSPECT_MS = "5000";

  private static final int SMALL_PORT = 7000;
  private static final int SMALL_DISK_MIB = 16;
  private static final int REDIS_PORT = 6379;
  private static final int REDIS_DISK_MIB = 512;
  private static final int REDIS_AT_ONCE = 32;
  private static final int WRITES_AT_ONCE = 32;
  private static final int COMPILES = 5;
  private static final Pattern ROUNDS = Pattern.compile("\\brounds=(\\d+)");

  private final BenchArguments arguments;
  private final BenchOutput out = new BenchOutput("protected");
  private final int rounds;
  private final double seconds;

  private ProtectedBench(BenchArguments arguments) {
    this.arguments = arguments;
    this.rounds = Integer.getInteger("bench.rounds", arguments.quick() ? 1 : 3);
    this.seconds = Integer.getInteger("bench.seconds", arguments.quick() ? 4 : 10);
  }

  /** Measured on both sides. */
  private static final class Both {
    final List<Double> plain = new ArrayList<>();
    final List<Double> guarded = new ArrayList<>();

    void add(boolean isProtected, double value) {
      (isProtected ? guarded : plain).add(value);
    }

    static double median(List<Double> values) {
      double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
      return sorted[sorted.length / 2];
    }

    double ratio() {
      return median(guarded) / median(plain);
    }

    BenchOutput.Line line(BenchOutput out, String name, String unit) {
      return out.ratio(name, ratio(), UNPROTECTED, Better.HIGHER)
          .with("value", median(guarded))
          .with("peer_value", median(plain))
          .with("unit", unit)
          .with("rounds", plain.size());
    }
  }

  /** Takes the arguments of {@link BenchArguments}. */
  public static void main(String[] args) throws IOException, InterruptedException {
    ProtectedBench bench = new ProtectedBench(BenchArguments.parse(args));
    Set<String> works =
        Set.of(System.getProperty("bench.works", "computing,replies,redis,compiling").split(","));
    if (works.contains("computing")) {
      bench.computing();
    }
    if (works.contains("replies")) {
      bench.replies();
    }
    if (works.contains("redis")) {
      bench.redis();
    }
    if (works.contains("compiling")) {
      bench.compiling();
    }
  }

  /** One machine, unprotected or protected, for one round. */
  private interface Work {
    void on(PairRig vm, boolean isProtected) throws IOException, InterruptedException;
  }

  private void onBoth(String title, int port, int diskMib, List<String> guest, Work work)
      throws IOException, InterruptedException {
    for (int round = 0; round < rounds; round++) {
      for (boolean isProtected : new boolean[] {false, true}) {
        out.progress("%s, %s".formatted(title, isProtected ? "protected" : UNPROTECTED));
        PairRig.Guest what = new PairRig.Guest(guest, diskMib, port == REDIS_PORT, port);
        Optional<String> suspect = isProtected ? Optional.of(SUSPECT_MS) : Optional.empty();
        try (PairRig vm = new PairRig(arguments.lockstep(), what, suspect)) {
          work.on(vm, isProtected);
        }
      }
    }
  }

  private static void protect(PairRig vm) throws IOException, InterruptedException {
    vm.beginAttach();
    vm.awaitProtected();
  }

  private void computing() throws IOException, InterruptedException {
    Both speed = new Both();
    List<Double> besides = new ArrayList<>();
    List<String> guest = List.of("--append", "load=cpu beat_ms=0");
    onBoth(
        "computing",
        SMALL_PORT,
        SMALL_DISK_MIB,
        guest,
        (vm, isProtected) -> {
          if (isProtected) {
            protect(vm);
          }
          speed.add(isProtected, speed(vm));
          if (!isProtected) {
            out.progress("computing, unprotected beside another one");
            try (PairRig _ =
                new PairRig(
                    arguments.lockstep(),
                    new PairRig.Guest(guest, SMALL_DISK_MIB, false, SMALL_PORT),
                    Optional.empty())) {
              besides.add(speed(vm));
            }
          }
        });
    speed
        .line(out, "computing", "rounds/s")
        .with("target", 0.97)
        .with("published", 0.98)
        .with("published_source", VMWARE + ", SPECjbb")
        .print();
    out.ratio(
            "computing, unprotected beside a second such machine",
            Both.median(besides) / Both.median(speed.plain),
            "alone",
            Better.HIGHER)
        .with("value", Both.median(besides))
        .with("peer_value", Both.median(speed.plain))
        .with("unit", "rounds/s")
        .with("rounds", besides.size())
        .print();
  }

  /** Rounds of a small guest's computation a second. */
  private double speed(PairRig vm) throws IOException, InterruptedException {
    try (LineClient client = LineClient.connect(vm.service(), "PING")) {
      Thread.sleep((long) (seconds * 1000));
      long begin = System.nanoTime();
      long before = computed(client);
      Thread.sleep((long) (seconds * 1000));
      long after = computed(client);
      return (after - before) / ((System.nanoTime() - begin) / 1e9);
    }
  }

  static long computed(LineClient client) throws IOException {
    String reply = client.ask("STAT");
    Matcher matcher = ROUNDS.matcher(reply);
    if (!matcher.find()) {
      throw new IOException("The guest does not say how much it computed: " + reply);
    }
    return Long.parseLong(matcher.group(1));
  }

  private void replies() throws IOException, InterruptedException {
    Both wait = new Both();
    Both writes = new Both();
    List<Double> samples = new ArrayList<>();
    onBoth(
        "replies and durable writes",
        SMALL_PORT,
        SMALL_DISK_MIB,
        List.of("--append", "beat_ms=0"),
        (vm, isProtected) -> {
          try (LineClient client = LineClient.connect(vm.service(), "PING")) {
            if (isProtected) {
              protect(vm);
            }
            pings(client, seconds / 2);
            double[] pings = pings(client, seconds);
            wait.add(isProtected, pings[pings.length / 2]);
            if (isProtected) {
              Arrays.stream(pings).forEach(samples::add);
            }
            writes.add(isProtected, client.rate("ADD k 1", WRITES_AT_ONCE, seconds, "OK"));
          }
        });
    double added = Both.median(wait.guarded) - Both.median(wait.plain);
    out.value("added to the median round trip", added, "ms", Better.LOWER)
        .with("target", 0.3)
        .with("rounds", rounds)
        .print();
    out.distribution("round trip to a protected guest", thinned(samples), "ms", Better.LOWER)
        .print();
    writes.line(out, "durable writes, small guest", "writes/s").print();
  }

  /** Sorted round trips, in ms. */
  private static double[] pings(LineClient client, double seconds) throws IOException {
    List<Double> took = new ArrayList<>();
    long end = System.nanoTime() + (long) (seconds * 1e9);
    while (System.nanoTime() < end) {
      long begin = System.nanoTime();
      client.ask("PING");
      took.add((System.nanoTime() - begin) / 1e6);
    }
    return took.stream().mapToDouble(Double::doubleValue).sorted().toArray();
  }

  /** A thousand of them at most: enough for a histogram. */
  private static List<Double> thinned(List<Double> samples) {
    int step = Math.max(1, samples.size() / 1000);
    List<Double> some = new ArrayList<>();
    for (int i = 0; i < samples.size(); i += step) {
      some.add(Math.round(samples.get(i) * 1000) / 1000.0);
    }
    return some;
  }

  private void redis() throws IOException, InterruptedException {
    Optional<Path> image = image("redis", "redis SET", " --include redis-server,redis-tools");
    if (image.isEmpty()) {
      return;
    }
    Both sets = new Both();
    Both writes = new Both();
    onBoth(
        "redis",
        REDIS_PORT,
        REDIS_DISK_MIB,
        List.of("--image", image.get().toString(), "--memory", "512M"),
        (vm, isProtected) -> {
          vm.awaitConsole("lockstep: ready in");
          try (LineClient client = LineClient.connect(vm.service(), "PING")) {
            if (isProtected) {
              protect(vm);
            }
            String set = "SET key " + "x".repeat(100);
            client.rate(set, REDIS_AT_ONCE, seconds / 2, "+OK");
            sets.add(isProtected, client.rate(set, REDIS_AT_ONCE, seconds, "+OK"));
          }
          String write = "dd if=/dev/zero of=/data/f bs=64k count=256 conv=fsync";
          timed(vm, "first", write);
          writes.add(isProtected, 16 / timed(vm, "second", write));
        });
    sets.line(out, "redis SET, append-only file, fsync always", "SET/s").print();
    writes.line(out, "disk writes with fsync", "MiB/s").print();
  }

  private void compiling() throws IOException, InterruptedException {
    Optional<Path> image = image("dev", "a compile", " --include gcc,libc6-dev,gawk,make");
    if (image.isEmpty()) {
      return;
    }
    Both speed = new Both();
    onBoth(
        "compiling",
        SMALL_PORT,
        SMALL_DISK_MIB,
        List.of("--image", image.get().toString(), "--append", "lockstep.services=none"),
        (vm, isProtected) -> {
          vm.awaitConsole("lockstep: ready in");
          if (isProtected) {
            protect(vm);
          }
          timed(
              vm,
              "source",
              "awk 'BEGIN { for (i = 0; i < 200; i++) printf \"int f%d(int x) { int s = %d;"
                  + " for (int i = 0; i < x; i++) s += s * i ^ %d; return s; }\\n\", i, i, i }'"
                  + " >/tmp/b.c");
          // A compiler's run is short; those of a whole program are many.
          String compile =
              "for i in $(seq %d); do gcc -O2 -c /tmp/b.c -o /tmp/b.o || exit 1; done"
                  .formatted(COMPILES);
          out.progress("first compiles %.1f s".formatted(timed(vm, "first", compile)));
          double second = timed(vm, "second", compile);
          out.progress("next compiles %.1f s".formatted(second));
          speed.add(isProtected, 3600 * COMPILES / second);
        });
    speed
        .line(out, "a compile (gcc -O2)", "an hour")
        .with("target", 0.95)
        .with("published", 0.95)
        .with("published_source", VMWARE + ", kernel compile")
        .print();
  }

  private Optional<Path> image(String name, String what, String buildOptions) {
    Optional<Path> image = arguments.image(name);
    if (arguments.quick()) {
      out.skipped(what, "Left out by --quick.");
      return Optional.empty();
    }
    if (image.isEmpty()) {
      out.skipped(what, arguments.missingImage(name, buildOptions));
    }
    return image;
  }

  /** Runs a command on the guest's console; returns the seconds that it took, seen from here. */
  private static double timed(PairRig vm, String name, String command)
      throws IOException, InterruptedException {
    long begin = System.nanoTime();
    // Quotes keep the echo of what is typed from being mistaken for what is printed.
    vm.type("%s && echo done''-%s || echo failed''-%s".formatted(command, name, name));
    vm.awaitConsole("done-" + name);
    return (System.nanoTime() - begin) / 1e9;
  }
}
