package io.lockstep.bench;

import io.lockstep.bench.BenchOutput.Better;
import io.lockstep.vm.guest.SmallGuest;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;

/**
 * Kills hosts with {@code kill -9} at random moments while a client works over one TCP connection,
 * attaches a fresh secondary each time, and tells how long the client had to wait.
 *
 * <p>Beside the common arguments: {@code --kills N} (how often the primary is killed), {@code
 * --boot-kills N} (how often while the guest boots, each time another guest), {@code --guest
 * small|redis}, {@code --victim primary|secondary|both}, {@code --suspect-ms N}, {@code --seed N}.
 */
public final class FailoverBench {
  private static final int REDIS_PORT = 6379;
  private static final int QUICK_KILLS = 2;
  private static final int FULL_KILLS = 20;
  private static final int FULL_BOOT_KILLS = 2;
  private static final int BOOT_MS = 3000;
  private static final int REST_MS = 300;
  private static final int DISK_BLOCK = 20_000;
  private static final int DISK_THINK_MS = 10;
  private static final String REDIS_OK = "+OK\r\n";

  private final BenchOutput output = new BenchOutput("failover");
  private final List<Double> primaryPauses = new ArrayList<>();
  private final List<Double> secondaryPauses = new ArrayList<>();
  private final List<Double> stops = new ArrayList<>();
  private final List<Double> attachWaits = new ArrayList<>();
  private final Random random;
  private final int kills;
  private final boolean redis;
  private final boolean killPrimary;
  private final boolean killSecondary;

  /** What goes on in the guest when a host is killed. */
  private enum Load {
    REQUESTS,
    DISK,
    IDLE
  }

  private FailoverBench(int kills, boolean redis, String victim, long seed) {
    this.kills = kills;
    this.redis = redis;
    this.killPrimary = !victim.equals("secondary");
    this.killSecondary = !victim.equals("primary");
    this.random = new Random(seed);
    output.progress("seed " + seed);
  }

  /** See the class comment. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    List<String> args = new ArrayList<>(Arrays.asList(arguments));
    String guest = take(args, "--guest").orElse("");
    Optional<String> kills = take(args, "--kills");
    Optional<String> bootKills = take(args, "--boot-kills");
    String victim = take(args, "--victim").orElse("both");
    String suspectMs = take(args, "--suspect-ms").orElse("400");
    long seed = take(args, "--seed").map(Long::parseLong).orElse(System.nanoTime());
    BenchArguments common = BenchArguments.parse(args.toArray(String[]::new));
    int times = kills.map(Integer::parseInt).orElse(common.quick() ? QUICK_KILLS : FULL_KILLS);
    List<String> guests = common.quick() ? List.of("small") : List.of("small", "redis");
    for (String one : guest.isEmpty() ? guests : List.of(guest)) {
      boolean redis = one.equals("redis");
      if (redis && common.image("redis").isEmpty()) {
        new BenchOutput("failover")
            .skipped("redis on Debian", common.missingImage("redis", " --include redis-server"));
        continue;
      }
      FailoverBench bench = new FailoverBench(times, redis, victim, seed);
      if (redis) {
        int inBoot = bootKills.map(Integer::parseInt).orElse(FULL_BOOT_KILLS);
        for (int i = 1; i <= inBoot; i++) {
          bench.killInBoot(common, suspectMs, i, inBoot);
        }
      }
      if (times > 0) {
        bench.measure(common, suspectMs);
      }
    }
  }

  private static Optional<String> take(List<String> args, String option) {
    int at = args.indexOf(option);
    if (at < 0 || at + 1 == args.size()) {
      return Optional.empty();
    }
    args.remove(at);
    return Optional.of(args.remove(at));
  }

  private PairRig.Guest guest(BenchArguments common) {
    return redis
        ? new PairRig.Guest(
            List.of("--image", common.image("redis").orElseThrow().toString(), "--memory", "512M"),
            512,
            true,
            REDIS_PORT)
        : new PairRig.Guest(
            List.of("--append", "beat_ms=200 rto_min_ms=20"), 8, false, SmallGuest.PORT);
  }

  /** The primary dies while its guest boots, and the guest comes up on the other host. */
  private void killInBoot(BenchArguments common, String suspectMs, int number, int of)
      throws IOException, InterruptedException {
    try (PairRig rig = new PairRig(common.lockstep(), guest(common), Optional.of(suspectMs))) {
      rig.beginAttach();
      rig.awaitProtected();
      Thread.sleep(random.nextInt(BOOT_MS));
      boolean up = rig.primaryHasSaid("lockstep: ready");
      rig.killPrimary();
      try (KeptConnection client =
          new KeptConnection(KeptConnection.Service.REDIS, rig.service())) {
        client.awaitMore(30);
        attach(rig, client);
        client.stopAndVerify();
      }
      if (!rig.endAndCheckFileSystem()) {
        throw new IOException("The file system on the guest's disk is not clean.");
      }
      output.progress(
          "%d of %d: primary killed %s; the guest came up on the secondary"
              .formatted(number, of, up ? "just after boot" : "in boot"));
    }
  }

  private void measure(BenchArguments common, String suspectMs)
      throws IOException, InterruptedException {
    long acknowledged;
    boolean clean = true;
    try (PairRig rig = new PairRig(common.lockstep(), guest(common), Optional.of(suspectMs))) {
      rig.awaitConsole(redis ? "lockstep: ready" : "ready");
      try (KeptConnection client =
          new KeptConnection(
              redis ? KeptConnection.Service.REDIS : KeptConnection.Service.LEDGER,
              rig.service())) {
        client.awaitMore(100);
        attach(rig, client);
        for (int i = 1; i <= kills; i++) {
          round(rig, client, i);
        }
        acknowledged = client.stopAndVerify();
      }
      if (redis) {
        clean = rig.endAndCheckFileSystem();
      }
    }
    if (!clean) {
      throw new IOException("The file system on the guest's disk is not clean.");
    }
    report(acknowledged);
  }

  private void attach(PairRig rig, KeptConnection client) throws IOException, InterruptedException {
    long begin = System.nanoTime();
    rig.beginAttach();
    stops.add(rig.awaitProtected());
    client.awaitMore(5);
    attachWaits.add(client.longestSince(begin));
  }

  private void round(PairRig rig, KeptConnection client, int number)
      throws IOException, InterruptedException {
    Load load = Load.values()[random.nextInt(redis ? 3 : 2) * (redis ? 1 : 2)];
    String said = "";
    if (killPrimary) {
      double pause = kill(rig, client, load, true);
      primaryPauses.add(pause);
      said += "primary killed (%s): %.0f ms; ".formatted(load, pause);
      if (number % 5 == 0) {
        killInAttach(rig, client);
        said += "a secondary killed in attach; ";
      }
      attach(rig, client);
      said +=
          "attached: stop %.0f ms, longest wait %.0f ms; "
              .formatted(stops.getLast(), attachWaits.getLast());
    }
    if (killSecondary) {
      double pause = kill(rig, client, load, false);
      secondaryPauses.add(pause);
      said += "secondary killed: %.0f ms; ".formatted(pause);
      attach(rig, client);
    }
    output.progress("%d of %d: %s%d values".formatted(number, kills, said, client.acknowledged()));
  }

  private double kill(PairRig rig, KeptConnection client, Load load, boolean primary)
      throws IOException, InterruptedException {
    try (Socket noise = load == Load.DISK ? makeNoise(rig.service()) : new Socket()) {
      Thread.sleep(200 + random.nextInt(1500));
      if (load == Load.IDLE) {
        client.rest();
        Thread.sleep(REST_MS + random.nextInt(1000));
      }
      long at = primary ? rig.killPrimary() : rig.killSecondary();
      client.wake();
      client.awaitMore(30);
      if (noise.isClosed()) {
        throw new IOException("The connection of the second client broke.");
      }
      return client.pauseAfter(at);
    }
  }

  /** A secondary that dies in the middle of its attach leaves the guest as it was. */
  private void killInAttach(PairRig rig, KeptConnection client)
      throws IOException, InterruptedException {
    rig.beginAttach();
    rig.await("an attach", rig::isCopying);
    Thread.sleep(random.nextInt(300));
    rig.killSecondary();
    client.awaitMore(30);
  }

  /**
   * Keeps the guest's disk busy with large values on another connection, until that is closed,
   * which it also is when it breaks.
   */
  private static Socket makeNoise(InetSocketAddress service) throws IOException {
    Socket socket = new Socket(service.getAddress(), service.getPort());
    byte[] request =
        ("SET noise " + "x".repeat(DISK_BLOCK) + "\r\n").getBytes(StandardCharsets.US_ASCII);
    Thread.ofPlatform()
        .start(
            () -> {
              try (socket) {
                OutputStream out = socket.getOutputStream();
                while (socket.getInputStream().readNBytes(REDIS_OK.length()).length > 0) {
                  Thread.sleep(DISK_THINK_MS);
                  out.write(request);
                }
              } catch (IOException e) {
                // Closed, by us or not: whoever opened it looks.
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
    socket.getOutputStream().write(request);
    return socket;
  }

  private void report(long acknowledged) {
    String guest = redis ? "Debian with redis" : "small guest";
    output
        .value(
            guest + ": values acknowledged, none lost",
            (double) acknowledged,
            "values",
            Better.HIGHER)
        .print();
    print(guest + ": client's pause after kill -9 of the primary", primaryPauses, 100, 300);
    print(guest + ": client's pause after kill -9 of the secondary", secondaryPauses, 0, 100);
    print(guest + ": guest stands still for an attach", stops, 0, 50);
    print(guest + ": client's longest wait during an attach", attachWaits, 0, 0);
  }

  private void print(String name, List<Double> samples, int median, int p99) {
    if (samples.isEmpty()) {
      return;
    }
    BenchOutput.Line line = output.distribution(name, samples, "ms", Better.LOWER);
    if (median > 0) {
      line.with("target_median", median);
    }
    if (p99 > 0) {
      line.with("target_p99", p99);
    }
    line.print();
    List<Double> sorted = samples.stream().sorted().toList();
    output.progress(
        String.format(
            Locale.ROOT,
            "%s: median %.0f, 95%% %.0f, 99%% %.0f, max %.0f ms (%d)",
            name,
            sorted.get(sorted.size() / 2),
            sorted.get((int) (sorted.size() * 0.95)),
            sorted.get((int) (sorted.size() * 0.99)),
            sorted.getLast(),
            sorted.size()));
  }
}
