package io.lockstep.bench;

import io.lockstep.host.control.ControlClient;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A virtual machine behind a switch, as {@code lockstep} processes: unprotected, or protected with
 * a secondary beside it.
 */
final class BenchVm implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 240;
  private static final Pattern LISTEN = Pattern.compile("\"listen\":\\[?\"([^\"]+)\"");
  private static final Pattern FORWARD = Pattern.compile("tcp:127\\.0\\.0\\.1:(\\d+):");

  private final BenchArguments arguments;
  private final Path directory;
  private final List<Said> processes = new ArrayList<>();
  private Said machine;
  private InetSocketAddress service;
  private final List<String> pairOptions = new ArrayList<>();

  private BenchVm(BenchArguments arguments) throws IOException {
    this.arguments = arguments;
    this.directory = Files.createTempDirectory("lockstep-bench");
  }

  /**
   * Starts a machine.
   *
   * @param isProtected whether with a secondary, to be joined by {@link #protect}
   * @param guestPort port of the guest's service
   * @param diskMib size of its empty disk
   * @param ext4 whether with a file system
   * @param guest what guest: options of {@code lockstep run}
   */
  static BenchVm start(
      BenchArguments arguments,
      boolean isProtected,
      int guestPort,
      int diskMib,
      boolean ext4,
      List<String> guest)
      throws IOException, InterruptedException {
    BenchVm vm = new BenchVm(arguments);
    boolean done = false;
    try {
      vm.start(isProtected, guestPort, diskMib, ext4, guest);
      done = true;
      return vm;
    } finally {
      if (!done) {
        vm.close();
      }
    }
  }

  private void start(
      boolean isProtected, int guestPort, int diskMib, boolean ext4, List<String> guest)
      throws IOException, InterruptedException {
    Said network =
        launch("switch", "--listen", "127.0.0.1:0", "--forward", "tcp:0:10.0.2.15:" + guestPort);
    String ready = network.await("\"event\":\"ready\"", "}");
    service =
        new InetSocketAddress(
            InetAddress.getLoopbackAddress(), Integer.parseInt(find(FORWARD, ready)));
    Path disk = directory.resolve("disk.img");
    if (ext4) {
      Said made = launch("image", "disk", disk.toString(), "--size", diskMib + "M");
      made.process.waitFor();
      made.await("ext4");
    } else {
      try (java.io.RandomAccessFile file = new java.io.RandomAccessFile(disk.toFile(), "rw")) {
        file.setLength((long) diskMib << 20);
      }
    }
    List<String> devices =
        List.of("--disk", disk.toString(), "--net", "switch=" + find(LISTEN, ready));
    List<String> run = new ArrayList<>(List.of("run"));
    run.addAll(devices);
    run.addAll(guest);
    if (isProtected) {
      List<String> shared = List.of("--storage", directory.resolve("shared").toString());
      run.addAll(List.of("--protect-listen", "127.0.0.1:0", "--suspect-ms", "5000"));
      run.addAll(shared);
      pairOptions.addAll(List.of("--suspect-ms", "5000"));
      pairOptions.addAll(shared);
      pairOptions.addAll(devices);
    }
    machine = launch(run.toArray(String[]::new));
    if (isProtected) {
      machine.await("\"event\":\"ready\"", "}");
    }
  }

  /** Attaches the secondary of a machine that was started to be protected. */
  void protect() throws IOException, InterruptedException {
    List<String> join = new ArrayList<>(List.of("secondary", "--join"));
    join.add(find(LISTEN, machine.text()));
    join.addAll(pairOptions);
    Said secondary = launch(join.toArray(String[]::new));
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (!status(machine).contains("\"role\":\"protected\"")
        || !status(secondary).contains("\"protected\":true")) {
      if (System.nanoTime() > end || !secondary.process.isAlive()) {
        throw new IOException("The secondary was not attached: " + secondary.lastLine());
      }
      Thread.sleep(50);
    }
  }

  private String status(Said replica) throws IOException {
    return ControlClient.ask(directory.resolve("run"), replica.process.pid(), "status").orElse("");
  }

  /** Where a client reaches the guest's service. */
  InetSocketAddress service() {
    return service;
  }

  /** Types a line on the guest's console. */
  void type(String line) throws IOException {
    machine.process.getOutputStream().write((line + "\n").getBytes(StandardCharsets.ISO_8859_1));
    machine.process.getOutputStream().flush();
  }

  /** Waits until the console has shown all of these, one after the other. */
  void awaitConsole(String... texts) throws IOException, InterruptedException {
    machine.await(texts);
  }

  private Said launch(String... words) throws IOException {
    List<String> command = new ArrayList<>(List.of(arguments.lockstep().toString()));
    command.addAll(List.of(words));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("LOCKSTEP_RUNTIME_DIR", directory.resolve("run").toString());
    Said said = new Said(builder.start());
    processes.add(said);
    return said;
  }

  private static String find(Pattern pattern, String text) throws IOException {
    Matcher matcher = pattern.matcher(text);
    if (!matcher.find()) {
      throw new IOException("A lockstep process said something unexpected: " + text.strip());
    }
    return matcher.group(1);
  }

  @Override
  public void close() throws IOException {
    for (Said said : processes.reversed()) {
      said.process.destroyForcibly();
    }
    try {
      for (Said said : processes) {
        said.process.waitFor(10, TimeUnit.SECONDS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    Tools.delete(directory);
  }

  /** A process, and all that it has said. */
  private static final class Said {
    final Process process;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private boolean ended;

    Said(Process process) {
      this.process = process;
      Thread.ofVirtual().start(() -> collect(process.getInputStream()));
    }

    private void collect(InputStream in) {
      byte[] buffer = new byte[8192];
      try {
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
          synchronized (this) {
            bytes.write(buffer, 0, n);
            notifyAll();
          }
        }
      } catch (IOException e) {
        // It was killed: that is how a benchmark ends its machines.
      } finally {
        synchronized (this) {
          ended = true;
          notifyAll();
        }
      }
    }

    synchronized String text() {
      return bytes.toString(StandardCharsets.ISO_8859_1);
    }

    String lastLine() {
      return text().strip().lines().reduce("", (_, next) -> next);
    }

    /** Waits for texts in this order; returns all that was said. */
    synchronized String await(String... texts) throws IOException, InterruptedException {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
      while (true) {
        String all = text();
        int at = 0;
        for (String wanted : texts) {
          at = at < 0 ? at : all.indexOf(wanted, at);
        }
        if (at >= 0) {
          return all;
        }
        long left = end - System.nanoTime();
        if (ended || left <= 0) {
          throw new IOException(
              "A lockstep process did not say '%s' but: %s"
                  .formatted(String.join(" ... ", texts), lastLine()));
        }
        TimeUnit.NANOSECONDS.timedWait(this, left);
      }
    }
  }
}
