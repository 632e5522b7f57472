package io.lockstep.bench;

import io.lockstep.ft.storage.SharedDisk;
import io.lockstep.ft.storage.StorageDirectory;
import io.lockstep.ft.storage.StorageException;
import io.lockstep.host.control.ControlClient;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import tools.jackson.jr.ob.JSON;

/**
 * A switch, a primary and its secondary as {@code lockstep} processes of their own, to be killed;
 * or, to compare with, an unprotected machine behind a switch.
 */
final class PairRig implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 180;
  private static final String NAME = "vm";

  private final Path lockstep;
  private final Path directory;
  private final List<Child> children = new ArrayList<>();
  private final List<String> devices = new ArrayList<>();
  private final Path disk;
  private InetSocketAddress service;
  private Child primary;
  private Child secondary;
  private int started;

  /** One of the processes. */
  private record Child(Process process, Path out, Path err, Path storage) {
    String says() throws IOException {
      return Files.readString(out, StandardCharsets.ISO_8859_1);
    }

    String lastWords() throws IOException {
      return Files.readString(err, StandardCharsets.ISO_8859_1)
          .lines()
          .reduce("nothing", (a, b) -> b);
    }
  }

  /**
   * What runs in it.
   *
   * @param options of {@code lockstep run} that say which guest
   * @param diskMib size of its disk
   * @param ext4 whether there is a file system on it
   * @param port its service
   */
  record Guest(List<String> options, int diskMib, boolean ext4, int port) {}

  /**
   * Starts a switch and a machine without a secondary.
   *
   * @param suspectMs the pair's; empty for a machine that cannot have a secondary
   */
  PairRig(Path lockstep, Guest guest, Optional<String> suspectMs)
      throws IOException, InterruptedException {
    this.lockstep = lockstep;
    directory = Files.createTempDirectory("lockstep-failover-");
    disk = directory.resolve("disk.raw");
    makeDisk(guest.diskMib(), guest.ext4());
    String address = "unix:" + directory.resolve("switch");
    Child network =
        start("switch", "--listen", address, "--forward", "tcp:0:10.0.2.15:" + guest.port());
    Map<String, Object> ready = readyLine(network);
    String forward = ((List<?>) ready.get("forwards")).getFirst().toString();
    service =
        new InetSocketAddress(
            InetAddress.getLoopbackAddress(), Integer.parseInt(forward.split(":")[2]));
    devices.addAll(List.of("--disk", disk.toString(), "--net", "switch=" + address));
    List<String> run = new ArrayList<>(List.of("run"));
    if (suspectMs.isPresent()) {
      devices.addAll(List.of("--suspect-ms", suspectMs.get()));
      run.addAll(List.of("--protect-listen", "127.0.0.1:0"));
    }
    run.addAll(devices);
    run.addAll(guest.options());
    primary = start(run.toArray(String[]::new));
    await("the primary's start", () -> !status(primary).isEmpty());
  }

  private void makeDisk(int mib, boolean ext4) throws IOException, InterruptedException {
    try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
      file.setLength((long) mib << 20);
    }
    if (ext4) {
      run("mke2fs", "-q", "-t", "ext4", disk.toString());
    }
  }

  private static int run(String... command) throws IOException, InterruptedException {
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .start()
        .waitFor();
  }

  private Child start(String... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of(lockstep.toString()));
    command.addAll(List.of(arguments));
    String name = arguments[0] + started++;
    // Each sees the storage by a way of its own, which can be taken from it.
    Path storage = directory.resolve(name + ".storage");
    if (command.contains("--suspect-ms")) {
      Files.createDirectories(directory.resolve("storage"));
      Files.createSymbolicLink(storage, directory.resolve("storage"));
      command.addAll(List.of("--storage", storage.toString()));
    }
    Path out = directory.resolve(name + ".out");
    Path err = directory.resolve(name + ".err");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
    builder.environment().put("LOCKSTEP_RUNTIME_DIR", directory.resolve("run").toString());
    Child child = new Child(builder.start(), out, err, storage);
    children.add(child);
    return child;
  }

  private Map<String, Object> readyLine(Child child) throws IOException, InterruptedException {
    await("a switch", () -> child.says().contains("\"ready\""));
    String line = child.says().lines().filter(l -> l.contains("\"ready\"")).findFirst().get();
    return JSON.std.mapFrom(line);
  }

  private Map<String, Object> status(Child child) throws IOException {
    Optional<String> reply =
        ControlClient.ask(directory.resolve("run"), child.process().pid(), "status");
    return reply.isPresent() ? JSON.std.mapFrom(reply.get()) : Map.of();
  }

  /** What may be true soon. */
  interface Condition {
    boolean holds() throws IOException;
  }

  /** Waits for something. */
  void await(String what, Condition condition) throws IOException, InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (!condition.holds()) {
      if (System.nanoTime() > end) {
        throw new IOException("Waited in vain for " + what + "; " + lastWords());
      }
      Thread.sleep(10);
    }
  }

  private String lastWords() throws IOException {
    StringBuilder all = new StringBuilder();
    for (Child child : children) {
      if (!child.says().isEmpty() || !child.process().isAlive()) {
        all.append('[').append(child.lastWords()).append(']');
      }
    }
    return all.toString();
  }

  /** Waits until the first primary's guest has printed this. */
  void awaitConsole(String text) throws IOException, InterruptedException {
    Child first = primary;
    await(
        "'" + text + "' on the guest's console",
        () -> {
          if (!first.process().isAlive()) {
            throw new IOException("The machine has ended: " + first.lastWords());
          }
          return first.says().contains(text);
        });
  }

  /** Whether this was seen on the console that the primary's process shows. */
  boolean primaryHasSaid(String text) throws IOException {
    return primary.says().contains(text);
  }

  /** Types a line on the guest's console. */
  void type(String line) throws IOException {
    OutputStream keys = primary.process().getOutputStream();
    keys.write((line + "\n").getBytes(StandardCharsets.ISO_8859_1));
    keys.flush();
  }

  /** Where the guest's service is for clients on this host. */
  InetSocketAddress service() {
    return service;
  }

  /** Starts a secondary, which begins to attach. */
  void beginAttach() throws IOException {
    beginAttach(primaryAddress());
  }

  /** Where the primary takes connections of a secondary. */
  String primaryAddress() throws IOException {
    return (String) status(primary).get("listen");
  }

  /** Starts a secondary that takes this for the primary's address. */
  void beginAttach(String address) throws IOException {
    List<String> join = new ArrayList<>(List.of("secondary", "--join", address));
    join.addAll(devices);
    secondary = start(join.toArray(String[]::new));
  }

  /**
   * Waits until the guest is protected.
   *
   * @return how long the guest stood still for the attach, in ms
   */
  double awaitProtected() throws IOException, InterruptedException {
    Child second = secondary;
    await(
        "protection",
        () -> {
          if (!second.process().isAlive()) {
            throw new IOException("The secondary ended: " + second.lastWords());
          }
          return Boolean.TRUE.equals(status(primary).get("protected"))
              && "following".equals(status(second).get("role"));
        });
    return ((Number) status(primary).get("attach_stop_ms")).doubleValue();
  }

  /** Whether the secondary's process has joined and memory is being copied. */
  boolean isCopying() throws IOException {
    return "copying".equals(status(primary).get("role"));
  }

  /** A figure of the primary's {@code lockstep status}. */
  double primaryFigure(String name) throws IOException {
    return status(primary).get(name) instanceof Number n ? n.doubleValue() : Double.NaN;
  }

  /** The process id of the secondary. */
  long secondaryPid() {
    return secondary.process().pid();
  }

  /** What runs, and where its process stands. */
  enum Side {
    PRIMARY,
    SECONDARY;

    Side other() {
      return this == PRIMARY ? SECONDARY : PRIMARY;
    }
  }

  private Child child(Side side) {
    return side == Side.PRIMARY ? primary : secondary;
  }

  /** Whether the process of this side has not ended. */
  boolean isAlive(Side side) {
    return child(side).process().isAlive();
  }

  /** The last line that this side's process wrote. */
  String lastWords(Side side) throws IOException {
    return child(side).lastWords();
  }

  /** Takes the storage from one side: its directory is not there any more. */
  void hideStorage(Side side) throws IOException {
    Path link = child(side).storage();
    Files.delete(link);
    Files.createSymbolicLink(link, directory.resolve("nowhere"));
  }

  /** {@code kill -9} of the primary; the secondary is the primary from now on. */
  long killPrimary() {
    long now = System.nanoTime();
    primary.process().destroyForcibly();
    primary = secondary;
    secondary = null;
    return now;
  }

  /** {@code kill -9} of the secondary. */
  long killSecondary() {
    long now = System.nanoTime();
    secondary.process().destroyForcibly();
    secondary = null;
    return now;
  }

  /**
   * Ends the primary and checks the file system on the disk, with all its layers merged.
   *
   * @return whether it is clean, but for its journal
   */
  boolean endAndCheckFileSystem() throws IOException, InterruptedException {
    primary.process().destroy();
    if (!primary.process().waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
      throw new IOException("The primary does not end.");
    }
    try {
      SharedDisk.merge(
          StorageDirectory.open(directory.resolve("storage"), NAME),
          "disk0",
          disk,
          (done, all) -> {});
    } catch (StorageException e) {
      throw new IOException(e.getMessage(), e);
    }
    // The first run replays the journal, as a mount would; the second one looks at everything.
    run("e2fsck", "-p", disk.toString());
    return run("e2fsck", "-f", "-n", disk.toString()) == 0;
  }

  @Override
  public void close() throws IOException {
    for (Child child : children.reversed()) {
      child.process().destroyForcibly();
    }
    try (Stream<Path> all = Files.walk(directory)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    }
  }
}
