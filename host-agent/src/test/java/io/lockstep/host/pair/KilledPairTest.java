package io.lockstep.host.pair;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.ft.storage.StorageDirectory;
import io.lockstep.host.net.L2Switch;
import io.lockstep.host.net.SwitchAddress;
import io.lockstep.host.net.VirtualSwitch;
import io.lockstep.host.net.gateway.Forward;
import io.lockstep.host.net.gateway.GatewayConfig;
import io.lockstep.host.net.gateway.Outbound;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two processes with a replica each behind the virtual switch, and a client that keeps one TCP
 * connection open while they are killed. {@code -Dlockstep.kills=N} kills more often.
 */
class KilledPairTest {
  private static final int KILLS = Integer.getInteger("lockstep.kills", 2);
  private static final long PATIENCE_SECONDS = 60;

  @TempDir Path directory;

  private final List<Child> children = new ArrayList<>();
  private SwitchAddress network;

  /** A replica's process and what it says. */
  private final class Child {
    final int port;
    final Process process;
    private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();

    Child(String role, int primaryPort) throws Exception {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      java.lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
          .filter(a -> a.startsWith("--"))
          .forEach(command::add);
      command.addAll(
          List.of(
              "-Xmx256m",
              "-XX:+UseSerialGC",
              "-cp",
              System.getProperty("java.class.path"),
              PairProcess.class.getName(),
              role,
              directory.toString(),
              network.toString(),
              Integer.toString(primaryPort)));
      process = new ProcessBuilder(command).redirectErrorStream(true).start();
      children.add(this);
      Thread.ofVirtual().start(this::listen);
      port = Integer.parseInt(awaitLine("LISTENING ").substring("LISTENING ".length()));
    }

    private void listen() {
      try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
        for (String line = out.readLine(); line != null; line = out.readLine()) {
          if (Boolean.getBoolean("lockstep.verbose")) {
            System.out.println(process.pid() + ": " + line);
          }
          lines.add(line);
        }
      } catch (IOException e) {
        lines.add(e.toString());
      }
    }

    String awaitLine(String start) throws InterruptedException {
      List<String> seen = new ArrayList<>();
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
      while (System.nanoTime() < deadline) {
        String line = lines.poll(1, TimeUnit.SECONDS);
        if (line != null) {
          seen.add(line);
          if (line.startsWith(start)) {
            return line;
          }
        }
      }
      throw new AssertionError("no '" + start + "' but " + seen);
    }

    /** SIGKILL. */
    void kill() throws InterruptedException {
      process.destroyForcibly();
      process.waitFor();
    }
  }

  /**
   * Appends increasing values over one TCP connection, and remembers the longest time without an
   * answer.
   */
  private static final class Client implements Runnable {
    private final Socket socket;
    final Thread thread = Thread.ofPlatform().unstarted(this);
    final AtomicLong acknowledged = new AtomicLong();
    final AtomicLong pauseNanos = new AtomicLong();
    final AtomicBoolean stop = new AtomicBoolean();
    volatile Throwable trouble;

    Client(int port) throws IOException {
      socket = new Socket(InetAddress.getLoopbackAddress(), port);
      socket.setTcpNoDelay(true);
      socket.setSoTimeout((int) TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
    }

    @Override
    public void run() {
      try (socket;
          BufferedReader in =
              new BufferedReader(
                  new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII))) {
        OutputStream out = socket.getOutputStream();
        long seq = 0;
        for (long n = 1; !stop.get(); n++) {
          long begin = System.nanoTime();
          out.write(("APPEND " + n + " c\n").getBytes(StandardCharsets.US_ASCII));
          String reply = in.readLine();
          assertThat(reply).as("reply to " + n).isEqualTo("OK %d %d".formatted(++seq, n));
          acknowledged.set(n);
          pauseNanos.accumulateAndGet(System.nanoTime() - begin, Math::max);
        }
        out.write("LEDGER c\n".getBytes(StandardCharsets.US_ASCII));
        long n = acknowledged.get();
        assertThat(in.readLine())
            .startsWith("OK %d %d count=%d sum=%d".formatted(n, n, n, n * (n + 1) / 2));
      } catch (IOException | AssertionError e) {
        trouble = e;
      }
    }

    void awaitEnd() throws InterruptedException {
      thread.join();
      assertThat(trouble).isNull();
    }

    void awaitProgress() throws InterruptedException {
      long before = acknowledged.get();
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
      while (acknowledged.get() < before + 5 && trouble == null && System.nanoTime() < deadline) {
        Thread.sleep(1);
      }
      assertThat(trouble).isNull();
      assertThat(acknowledged.get()).isGreaterThanOrEqualTo(before + 5);
    }
  }

  @Test
  void oneTcpConnectionOutlivesKilledPrimariesAndSecondaries() throws Exception {
    try (RandomAccessFile disk =
        new RandomAccessFile(directory.resolve("disk.raw").toFile(), "rw")) {
      disk.setLength(4 << 20);
    }
    StorageDirectory.open(directory.resolve("storage"), "small");
    long seed = Long.getLong("lockstep.seed", System.nanoTime());
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    VirtualSwitch.Config config =
        new VirtualSwitch.Config(
            List.of(SwitchAddress.parse("127.0.0.1:0")),
            Optional.empty(),
            Optional.of(
                GatewayConfig.of(Outbound.NONE, List.of(Forward.parse("tcp:0:10.0.2.15:7000")))),
            Optional.empty(),
            Optional.empty(),
            L2Switch.Limits.DEFAULT);
    try (VirtualSwitch s = VirtualSwitch.start(config)) {
      network = s.addresses().getFirst();
      run(s, random);
    } finally {
      for (Child child : children) {
        child.kill();
      }
    }
  }

  private void run(VirtualSwitch s, Random random) throws Exception {
    Child primary = new Child("start", 0);
    Child secondary = new Child("join", primary.port);
    secondary.awaitLine("PROTECTED");
    Client client = new Client(s.forwards().getFirst().hostPort());
    client.thread.start();
    List<Long> pauses = new ArrayList<>();
    for (int round = 0; round < KILLS; round++) {
      client.awaitProgress();
      Thread.sleep(random.nextInt(200));
      client.pauseNanos.set(0);
      primary.kill();
      client.awaitProgress();
      pauses.add(client.pauseNanos.get() / 1_000_000);
      primary = secondary;
      secondary = new Child("join", primary.port);
      secondary.awaitLine("PROTECTED");
      if (random.nextInt(3) == 0) {
        client.awaitProgress();
        secondary.kill();
        client.awaitProgress();
        secondary = new Child("join", primary.port);
        secondary.awaitLine("PROTECTED");
      }
    }
    client.stop.set(true);
    client.awaitEnd();
    Collections.sort(pauses);
    System.out.println(
        client.acknowledged.get()
            + " values acknowledged; pauses after a kill of the primary in ms: "
            + pauses);
  }
}
