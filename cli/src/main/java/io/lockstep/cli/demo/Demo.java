package io.lockstep.cli.demo;

import io.lockstep.host.control.ControlClient;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
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
  private final DemoGuest guest;
  private SteadyClient client;
  private String switchAddress;
  private int hosts;
  private boolean closed;
  private boolean kept;

  /** What the demo found. */
  record Result(
      long acknowledged, double pausePrimaryMs, double pauseSecondaryMs, double usualMs) {}

  Demo(Screen screen, DemoGuest guest) throws IOException {
    this.screen = screen;
    this.guest = guest;
    this.directory = Files.createTempDirectory("lockstep-demo-");
  }

  /** Plays it. */
  Result play() throws DemoException {
    try {
      InetSocketAddress service = startNetwork();
      startPrimary();
      connect(service);
      attach("first");
      long since = System.nanoTime();
      watch(WATCH_MS);
      double usual = client.medianWait(since, Long.MAX_VALUE) / NANOS_PER_MS;
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

  /** Not while everything is being ended by Ctrl-C: what starts then would stay behind. */
  private synchronized Child start(String name, List<String> arguments)
      throws IOException, DemoException {
    if (closed) {
      throw new DemoException("The demo was interrupted.");
    }
    Child child = Child.start(name, directory, arguments);
    children.add(child);
    return child;
  }

  private InetSocketAddress startNetwork() throws IOException, DemoException {
    screen.event("switch", "Starting the switch: the network that outlives both hosts.");
    Child network =
        start(
            "switch",
            List.of("switch", "--listen", LOCAL, "--forward", "tcp:0:10.0.2.15:" + guest.port()));
    Map<String, Object> ready = parse(network.awaitReady(START_MS));
    switchAddress = ((List<?>) ready.get("listen")).getFirst().toString();
    // tcp:127.0.0.1:PORT:10.0.2.15:7000
    String[] forward = ((List<?>) ready.get("forwards")).getFirst().toString().split(":");
    return new InetSocketAddress(forward[1], Integer.parseInt(forward[2]));
  }

  private void startPrimary() throws IOException, DemoException {
    guest.makeDisk(disk());
    screen.event("primary", "Host A: starting %s as the primary.".formatted(guest.title()));
    List<String> run = new ArrayList<>(List.of("run", "--protect-listen", LOCAL));
    run.addAll(guest.options());
    String name = nextHost();
    run.addAll(hostOptions(name));
    primary = start(name, run);
    Child started = primary;
    await("host A is up", START_MS, () -> status(started).isPresent());
  }

  private void attach(String which) throws IOException, DemoException {
    Child host = primary;
    String listen = status(host).map(s -> s.get("listen").toString()).orElseThrow(() -> gone(host));
    String name = nextHost();
    screen.event(
        "secondary",
        "Host %s: attaching a %s secondary while the guest runs."
            .formatted(name.substring(name.length() - 1).toUpperCase(Locale.ROOT), which));
    List<String> join = new ArrayList<>(List.of("secondary", "--join", listen));
    join.addAll(hostOptions(name));
    Child joining = start(name, join);
    secondary = joining;
    await("the guest is protected", PROTECT_MS, () -> isProtected(host) && isFollowing(joining));
    screen.good(
        "protected", "Protected: both hosts run the same guest, instruction for instruction.");
  }

  private String nextHost() {
    return "host-" + (char) ('a' + hosts++);
  }

  private Path disk() {
    return directory.resolve("disk.raw");
  }

  private List<String> hostOptions(String name) {
    List<String> options = new ArrayList<>(sharedOptions());
    // A temporary directory of its own would stay behind when it is killed.
    options.addAll(List.of("--log-dir", directory.resolve(name + "-log").toString()));
    return options;
  }

  /** What all hosts of the guest have in common. */
  private List<String> sharedOptions() {
    return List.of(
        SUSPECT,
        "--storage",
        directory.resolve("shared").toString(),
        "--disk",
        disk().toString(),
        "--net",
        "switch=" + switchAddress);
  }

  private void connect(InetSocketAddress service) throws IOException, DemoException {
    long end = System.nanoTime() + guest.bootSeconds() * 1_000_000_000L;
    while (true) {
      try {
        client = SteadyClient.connect(guest.service(), service);
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
        acknowledged(),
        client == null ? 0 : client.lastTookNanos() / NANOS_PER_MS);
  }

  private long acknowledged() {
    return client == null ? 0 : client.lastValue();
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
                    ((Number) s.get("log_lsn")).longValue() + acknowledged(),
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

  /** How to play with what runs, for {@code --keep}. */
  List<String> howToGoOn() {
    List<String> lines = new ArrayList<>();
    lines.add("");
    lines.add("Everything is left running, for you to play with:");
    lines.add("");
    for (Child child : children) {
      if (child.isAlive()) {
        lines.add("  %-8s process %d".formatted(child.name(), child.pid()));
      }
    }
    String pid = primary == null ? "PID" : Long.toString(primary.pid());
    String listen =
        primary == null
            ? "ADDR"
            : status(primary).map(s -> s.get("listen").toString()).orElse("ADDR");
    lines.add("");
    lines.add("  lockstep status");
    lines.add("  lockstep secondary --join %s \\".formatted(listen));
    lines.add("      " + String.join(" ", sharedOptions()));
    lines.add("  kill -9 " + pid);
    lines.add("");
    lines.add("To end it all:");
    lines.add("");
    String others =
        children.stream()
            .filter(child -> child.isAlive())
            .map(child -> Long.toString(child.pid()))
            .collect(Collectors.joining(" "));
    lines.add("  kill %s; rm -r %s".formatted(others, directory));
    return lines;
  }

  /** Lets the processes and files be. */
  synchronized void keep() {
    kept = true;
  }

  /** Ends all processes and removes all files, also in the middle of everything, and only once. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    if (client != null) {
      client.close();
    }
    if (kept) {
      return;
    }
    for (Child child : children.reversed()) {
      child.close();
    }
    forgetTheDead();
    remove();
  }

  /** Whether {@link #close} was called: what fails from then on is no news. */
  synchronized boolean isClosed() {
    return closed;
  }

  /** Looking for processes that can be asked removes what killed ones have left. */
  private void forgetTheDead() {
    try {
      ControlClient.processes();
    } catch (IOException e) {
      screen.text("The control sockets cannot be cleaned up: " + e.getMessage() + ".");
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
