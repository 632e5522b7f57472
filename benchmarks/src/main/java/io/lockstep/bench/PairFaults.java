package io.lockstep.bench;

import io.lockstep.bench.BenchOutput.Better;
import io.lockstep.bench.PairRig.Side;
import io.lockstep.vm.guest.SmallGuest;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/**
 * What happens to a pair of real processes when the link between them is cut, or the secondary's
 * host is too slow; and what passes over the link when nothing happens. A check: it ends with a
 * status other than 0 if something is not as it must be.
 *
 * <p>Beside the common arguments: any of {@code partition}, {@code slow}, {@code wire}; without any
 * all of them.
 */
public final class PairFaults {
  private static final List<String> ALL = List.of("partition", "slow", "wire");
  private static final int SMALL_DISK_MIB = 8;
  private static final String SUSPECT_MS = "400";
  private static final int VALUES = 50;
  private static final int SECONDS = 15;
  private static final int PERIOD_MS = 10;
  private static final int IDLE_SECONDS = 60;
  private static final int WIRE_PORT = 7000;
  private static final int WIRE_MIB = 64;

  private final BenchOutput out = new BenchOutput("pair-faults");
  private final BenchArguments arguments;

  private PairFaults(BenchArguments arguments) {
    this.arguments = arguments;
  }

  /** See the class comment. */
  public static void main(String[] args) throws IOException, InterruptedException {
    List<String> common = new ArrayList<>(Arrays.asList(args));
    List<String> wanted = new ArrayList<>(ALL);
    if (common.removeAll(ALL)) {
      wanted.retainAll(Arrays.asList(args));
    }
    PairFaults faults = new PairFaults(BenchArguments.parse(common.toArray(String[]::new)));
    if (wanted.contains("partition")) {
      faults.partition("both see the storage", Optional.empty());
      faults.partition("the secondary does not see the storage", Optional.of(Side.SECONDARY));
      faults.partition("the primary does not see the storage", Optional.of(Side.PRIMARY));
    }
    if (wanted.contains("slow")) {
      faults.slow(2, false);
      faults.slow(10, true);
    }
    if (wanted.contains("wire")) {
      faults.wire();
    }
  }

  private PairRig small(String append) throws IOException, InterruptedException {
    PairRig.Guest guest =
        new PairRig.Guest(List.of("--append", append), SMALL_DISK_MIB, false, SmallGuest.PORT);
    PairRig rig = new PairRig(arguments.lockstep(), guest, Optional.of(SUSPECT_MS));
    rig.awaitConsole("ready");
    return rig;
  }

  /** The link is cut; one side may have lost the storage, too. Exactly one side carries on. */
  private void partition(String title, Optional<Side> blind)
      throws IOException, InterruptedException {
    try (PairRig rig = small("beat_ms=200 rto_min_ms=20");
        LinkRelay link = new LinkRelay(rig.primaryAddress());
        KeptConnection client = new KeptConnection(KeptConnection.Service.LEDGER, rig.service())) {
      rig.beginAttach(link.address());
      rig.awaitProtected();
      client.awaitMore(VALUES);
      if (blind.isPresent()) {
        rig.hideStorage(blind.get());
      }
      long cutAt = System.nanoTime();
      link.cut();
      client.awaitMore(VALUES);
      double pause = client.pauseAfter(cutAt);
      long values = client.stopAndVerify();
      if (blind.isPresent()) {
        // It has not lost, as far as it can know: it waits for the storage.
        rig.await("a word about it", () -> rig.lastWords(blind.get()).contains("storage"));
      } else {
        rig.await(
            "the end of one side",
            () -> !rig.isAlive(Side.PRIMARY) || !rig.isAlive(Side.SECONDARY));
      }
      Side loser = blind.orElseGet(() -> rig.isAlive(Side.PRIMARY) ? Side.SECONDARY : Side.PRIMARY);
      if (!rig.isAlive(loser.other())) {
        throw new IOException("Nobody carries on: " + rig.lastWords(loser.other()));
      }
      out.progress(
          "link cut, %s: the %s carries on, client's pause %.0f ms, %d values; the %s says: %s"
              .formatted(title, loser.other(), pause, values, loser, rig.lastWords(loser)));
      out.value("link cut, %s: client's pause".formatted(title), pause, "ms", Better.LOWER).print();
    }
  }

  /** The secondary gets one {@code part} of the time; one that gets too little is dropped. */
  private void slow(int part, boolean hopeless) throws IOException, InterruptedException {
    try (PairRig rig = small("load=cpu beat_ms=0");
        LineClient client = LineClient.connect(rig.service(), "PING")) {
      rig.beginAttach();
      rig.awaitProtected();
      waits(client, SECONDS);
      long before = ProtectedBench.computed(client);
      waits(client, SECONDS);
      double full = (ProtectedBench.computed(client) - before) / (double) SECONDS;
      Slowing slowing = new Slowing(rig.secondaryPid(), part);
      Thread thread = Thread.ofPlatform().daemon().start(slowing);
      try {
        double[] settling = waits(client, 5);
        before = ProtectedBench.computed(client);
        long begin = System.nanoTime();
        double[] waits = waits(client, SECONDS);
        double speed =
            (ProtectedBench.computed(client) - before) / ((System.nanoTime() - begin) / 1e9);
        boolean dropped = !rig.isAlive(Side.SECONDARY);
        out.progress(
            "secondary at 1/%d: speed %.2f of before, longest wait of a client %.0f ms while it settles and %.0f ms after, median %.1f ms, throttle %.2f; secondary %s"
                .formatted(
                    part,
                    speed / full,
                    settling[settling.length - 1],
                    waits[waits.length - 1],
                    waits[waits.length / 2],
                    rig.primaryFigure("throttle"),
                    dropped ? "dropped: " + rig.lastWords(Side.SECONDARY) : "kept"));
        if (dropped != hopeless) {
          throw new IOException(
              "A secondary at 1/%d of its speed is %s."
                  .formatted(part, dropped ? "dropped" : "not dropped"));
        }
        out.value(
                "secondary at 1/%d of its speed: longest wait of a client".formatted(part),
                Math.max(settling[settling.length - 1], waits[waits.length - 1]),
                "ms",
                Better.LOWER)
            .print();
        out.ratio(
                "secondary at 1/%d of its speed: the primary's".formatted(part),
                speed / full,
                "before",
                Better.HIGHER)
            .print();
      } finally {
        slowing.over = true;
        thread.join();
      }
    }
  }

  /** Sorted round trips in ms, one every ten milliseconds. */
  private static double[] waits(LineClient client, int seconds)
      throws IOException, InterruptedException {
    List<Double> took = new ArrayList<>();
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    while (System.nanoTime() < end) {
      long begin = System.nanoTime();
      client.ask("PING");
      took.add((System.nanoTime() - begin) / 1e6);
      Thread.sleep(10);
    }
    return took.stream().mapToDouble(Double::doubleValue).sorted().toArray();
  }

  /** Stops a process for all but one part of each few milliseconds. */
  private static final class Slowing implements Runnable {
    private final long pid;
    private final int part;
    private volatile boolean over;

    Slowing(long pid, int part) {
      this.pid = pid;
      this.part = part;
    }

    @Override
    public void run() {
      long running = TimeUnit.MILLISECONDS.toNanos(PERIOD_MS) / part;
      try {
        while (!over) {
          ProcessSignals.stop(pid);
          TimeUnit.NANOSECONDS.sleep(TimeUnit.MILLISECONDS.toNanos(PERIOD_MS) - running);
          ProcessSignals.resume(pid);
          TimeUnit.NANOSECONDS.sleep(running);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** What passes over the link for an idle Debian, for packets that come in, and for disk reads. */
  private void wire() throws IOException, InterruptedException {
    if (arguments.image("mini").isEmpty()) {
      out.skipped("the link", arguments.missingImage("mini", ""));
      return;
    }
    Path image = arguments.image("mini").orElseThrow();
    List<String> options = List.of("--image", image.toString(), "--memory", "512M");
    PairRig.Guest guest = new PairRig.Guest(options, WIRE_MIB, false, WIRE_PORT);
    try (PairRig rig = new PairRig(arguments.lockstep(), guest, Optional.of(SUSPECT_MS));
        LinkRelay link = new LinkRelay(rig.primaryAddress())) {
      rig.awaitConsole("lockstep: ready in");
      rig.beginAttach(link.address());
      rig.awaitProtected();
      Thread.sleep(TimeUnit.SECONDS.toMillis(5));
      long back = link.bytesBack();
      long there = link.bytesThere();
      Thread.sleep(TimeUnit.SECONDS.toMillis(IDLE_SECONDS));
      print("link, idle Debian, to the secondary", link.bytesBack() - back);
      print("link, idle Debian, to the primary", link.bytesThere() - there);

      back = link.bytesBack();
      rig.type("nc -l -p %d | wc -c; echo got''-it".formatted(WIRE_PORT));
      Thread.sleep(TimeUnit.SECONDS.toMillis(2));
      byte[] data = new byte[1 << 20];
      new Random(1).nextBytes(data);
      try (Socket socket = new Socket(rig.service().getAddress(), rig.service().getPort())) {
        OutputStream to = socket.getOutputStream();
        for (int i = 0; i < WIRE_MIB; i++) {
          to.write(data);
        }
      }
      rig.awaitConsole("got-it");
      ratio("link, packets that come in", link.bytesBack() - back);

      back = link.bytesBack();
      rig.type("dd if=/dev/vda of=/dev/null bs=1M; echo read''-it");
      rig.awaitConsole("read-it");
      ratio("link, disk that is read", link.bytesBack() - back);
    }
  }

  private void print(String name, long bytes) {
    double kbits = bytes * 8 / 1e3 / IDLE_SECONDS;
    out.progress("%s: %.2f kbit/s".formatted(name, kbits));
    out.value(name, kbits, "kbit/s", Better.LOWER).with("target", 10).print();
  }

  private void ratio(String name, long bytes) {
    double ratio = bytes / (double) ((long) WIRE_MIB << 20);
    out.progress("%s: %.4f bytes for each byte".formatted(name, ratio));
    out.ratio(name, ratio, "what came in", Better.LOWER).with("target", 1.05).print();
  }
}
