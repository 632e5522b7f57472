package io.lockstep.cli.demo;

import io.lockstep.host.control.ControlClient;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.jr.ob.JSON;

/**
 * The main job, with real processes: a switch, a protected guest, a client with one open
 * connection; the primary is killed with {@code kill -9} and the client carries on; a new secondary
 * is attached; then the secondary is killed.
 */
final class Demo implements AutoCloseable {
  private static final long START_MS = 60_000;
  private static final long PROTECT_MS = 60_000;
  private static final long CARRY_ON_MS = 30_000;
  private static final long POLL_MS = 30;
  private static final long WATCH_MS = 3_000;
  private static final int CARRY_ON_ACKS = 100;
  private static final long DISK_BYTES = 16L << 20;
  private static final double NANOS_PER_MS = 1e6;
  private static final String LOCAL = "127.0.0.1:0";

  /**
   * A killed process is noticed at once; only a silent one takes this long, which a busy machine
   * must not be mistaken for.
   */
  private static final String SUSPECT = "--suspect-ms=3000";

  private final Screen screen;
  private final Path directory;
  private final List<Child> children = new ArrayList<>();
  private Child primary;
  private Child secondary;
  private LedgerClient client;
  private String switchAddress;

  /** What the demo found. */
  record Result(
      long acknowledged, double pausePrimaryMs, double pauseSecondaryMs, double usualMs) {}

  Demo(Screen screen) throws IOException {
    this.screen = screen;
    this.directory = Files.createTempDirectory("lockstep-demo-");
  }

  /** Plays it. */
  Result play() throws DemoException {
    try {
      InetSocketAddress service = startNetwork();
      startPrimary();
      attach("first");
      connect(service);
      watch(WATCH_MS);
      double usual = client.medianWait(0, Long.MAX_VALUE) / NANOS_PER_MS;
      double first = killPrimary();
      attach("new");
      watch(WATCH_MS);
      double second = killSecondary();
      watch(WATCH_MS / 3);
      long acknowledged = client.verify();
      return new Result(acknowledged, first, second, usual);
    } catch (IOException e) {
      throw new DemoException("The demo cannot go on: %s.".formatted(e.getMessage()));
    }
  }

  private Child start(String name, String... arguments) throws IOException {
    Child child = Child.start(name, directory, List.of(arguments));
    children.add(child);
    return child;
  }

  private InetSocketAddress startNetwork() throws IOException, DemoException {
    screen.event("switch", "Starting the switch: the network that outlives both hosts.");
    Child network =
        start("switch", "switch", "--listen", LOCAL, "--forward", "tcp:0:10.0.2.15:7000");
    Map<String, Object> ready = parse(network.awaitReady(START_MS));
    switchAddress = ((List<?>) ready.get("listen")).getFirst().toString();
    // tcp:127.0.0.1:PORT:10.0.2.15:7000
    String[] forward = ((List<?>) ready.get("forwards")).getFirst().toString().split(":");
    return new InetSocketAddress(forward[1], Integer.parseInt(forward[2]));
  }

  private void startPrimary() throws IOException, DemoException {
    Path disk = directory.resolve("disk.raw");
    try (FileChannel file =
        FileChannel.open(disk, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      file.write(ByteBuffer.allocate(1), DISK_BYTES - 1);
    }
    screen.event("primary", "Host A: starting the guest as the primary.");
    primary =
        start(
            "host-a",
            "run",
            "--protect-listen",
            LOCAL,
            SUSPECT,
            "--storage",
            directory.resolve("shared").toString(),
            "--disk",
            disk.toString(),
            "--net",
            "switch=" + switchAddress,
            "--append",
            "beat_ms=0 rto_min_ms=20");
    Child started = primary;
    await("host A is up", START_MS, () -> status(started).isPresent());
  }

  private void attach(String which) throws IOException, DemoException {
    Child host = primary;
    String listen = status(host).map(s -> s.get("listen").toString()).orElseThrow(() -> gone(host));
    char letter = (char) ('A' + children.size() - 1);
    screen.event(
        "secondary",
        "Host %c: attaching a %s secondary while the guest runs.".formatted(letter, which));
    Child joining =
        start(
            "host-" + Character.toLowerCase(letter),
            "secondary",
            "--join",
            listen,
            SUSPECT,
            "--storage",
            directory.resolve("shared").toString(),
            "--disk",
            directory.resolve("disk.raw").toString(),
            "--net",
            "switch=" + switchAddress);
    secondary = joining;
    await("the guest is protected", PROTECT_MS, () -> isProtected(host) && isFollowing(joining));
    screen.good(
        "protected", "Protected: both hosts run the same guest, instruction for instruction.");
  }

  private void connect(InetSocketAddress service) throws IOException, DemoException {
    long end = System.nanoTime() + START_MS * 1_000_000;
    while (true) {
      try {
        client = LedgerClient.connect(service);
        break;
      } catch (IOException e) {
        if (System.nanoTime() > end) {
          throw e;
        }
        pause();
      }
    }
    screen.event(
        "client",
        "A client opens one TCP connection and appends 1, 2, 3, ... each is on the guest's disk"
            + " before it is acknowledged.");
  }

  private double killPrimary() throws DemoException {
    return kill(primary, "the primary", true);
  }

  private double killSecondary() throws DemoException {
    return kill(secondary, "the secondary", false);
  }

  private double kill(Child victim, String what, boolean takesOver) throws DemoException {
    screen.kill(
        "kill", "kill -9 %d: %s is dead (%s).".formatted(victim.pid(), what, victim.name()));
    long before = client.lastValue();
    long at = victim.kill();
    if (takesOver) {
      primary = secondary;
    }
    secondary = null;
    await("the client carries on", CARRY_ON_MS, () -> client.lastValue() > before + CARRY_ON_ACKS);
    double pauseMs = client.longestWait(at, Long.MAX_VALUE) / NANOS_PER_MS;
    screen.good(
        "carried-on",
        String.format(
            Locale.ROOT,
            "The client noticed a pause of %.0f ms, on the same connection; it goes on with %d.",
            pauseMs,
            client.lastValue() + 1));
    return pauseMs;
  }

  private void watch(long ms) throws DemoException {
    long end = System.nanoTime() + ms * 1_000_000;
    while (System.nanoTime() < end) {
      checkClient();
      show();
      pause();
    }
    screen.clear();
  }

  private void await(String what, long ms, BooleanSupplier condition) throws DemoException {
    long end = System.nanoTime() + ms * 1_000_000;
    while (!condition.getAsBoolean()) {
      checkClient();
      checkChildren();
      if (System.nanoTime() > end) {
        throw new DemoException("It took more than %d s until %s.".formatted(ms / 1000, what));
      }
      show();
      pause();
    }
    screen.clear();
  }

  private void checkClient() throws DemoException {
    if (client != null && client.failure() != null) {
      throw new DemoException(client.failure());
    }
  }

  private void checkChildren() throws DemoException {
    for (Child child : children) {
      if (!child.wasKilled() && !child.isAlive()) {
        throw gone(child);
      }
    }
  }

  private static DemoException gone(Child child) {
    return new DemoException(
        "The process %s has ended: %s".formatted(child.name(), child.lastWords()));
  }

  private void show() {
    screen.status(
        gears(primary),
        gears(secondary),
        client == null ? 0 : client.lastValue(),
        client == null ? 0 : client.lastTookNanos() / NANOS_PER_MS);
  }

  private Gears gears(Child child) {
    if (child == null) {
      return null;
    }
    return status(child)
        .map(
            s ->
                new Gears(
                    s.get("role").toString(),
                    ((Number) s.get("epoch")).longValue(),
                    ((Number) s.get("log_lsn")).longValue() << 16,
                    ((Number) s.get("lag_ms")).doubleValue()))
        .orElse(null);
  }

  private static boolean isProtected(Child child) {
    return status(child).map(s -> Boolean.TRUE.equals(s.get("protected"))).orElse(false);
  }

  private static boolean isFollowing(Child child) {
    return status(child).map(s -> "following".equals(s.get("role"))).orElse(false);
  }

  private static Optional<Map<String, Object>> status(Child child) {
    try {
      Optional<String> reply = ControlClient.ask(child.pid(), "status");
      return reply.isPresent() ? Optional.of(JSON.std.mapFrom(reply.get())) : Optional.empty();
    } catch (IOException | JacksonException e) {
      return Optional.empty();
    }
  }

  private static Map<String, Object> parse(String json) throws DemoException {
    try {
      return JSON.std.mapFrom(json);
    } catch (JacksonException e) {
      throw new DemoException("A process said something else than expected: " + json);
    }
  }

  private static void pause() throws DemoException {
    try {
      Thread.sleep(POLL_MS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DemoException("The demo was interrupted.");
    }
  }

  /** Everything that runs, for {@code --keep}. */
  List<String> howToGoOn() {
    List<String> lines = new ArrayList<>();
    for (Child child : children) {
      if (child.isAlive()) {
        lines.add("%-8s process %d".formatted(child.name(), child.pid()));
      }
    }
    lines.add("lockstep status            what the replicas do");
    lines.add(
        "kill -9 %d            and see what is left"
            .formatted(primary == null ? 0 : primary.pid()));
    lines.add("files: " + directory);
    return lines;
  }

  /** Lets the processes and files be. */
  void keep() {
    children.clear();
  }

  /** Ends all processes and removes all files, also in the middle of everything. */
  @Override
  public void close() {
    if (client != null) {
      client.close();
    }
    boolean all = !children.isEmpty();
    for (Child child : children.reversed()) {
      child.close();
    }
    if (all) {
      remove();
    }
  }

  private void remove() {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      screen.text("The directory " + directory + " could not be removed: " + e.getMessage() + ".");
    }
  }
}
