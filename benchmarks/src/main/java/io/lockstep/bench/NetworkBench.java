package io.lockstep.bench;

import io.lockstep.bench.BenchOutput.Better;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * TCP between a client on the host and a server in the guest, through a forward of our gateway and
 * of QEMU's user network: bulk transfer both ways, and the round trip of one byte. Both guests run
 * at the same time, from the same image, and are measured in turn while the other one is idle.
 *
 * <p>Arguments as in {@code benchmarks/README.md}. Needs Debian's gcc-riscv64-linux-gnu and
 * qemu-system-misc.
 */
public final class NetworkBench {
  private static final String COMMAND_LINE =
      "console=ttyS0 quiet lockstep.services=none lockstep.run=/bench/netserver";
  private static final int MEMORY_MIB = 256;
  private static final int GUEST_PORT = 5000;
  private static final long BOOT_SECONDS_MAX = 300;

  private final BenchOutput out = new BenchOutput("network");
  private final BenchArguments arguments;
  private final long bulkBytes;
  private final int rounds;
  private final int pings;

  private NetworkBench(BenchArguments arguments) {
    this.arguments = arguments;
    this.bulkBytes = arguments.quick() ? 48L << 20 : 256L << 20;
    this.rounds = arguments.quick() ? 3 : 9;
    this.pings = arguments.quick() ? 1_000 : 5_000;
  }

  /** See the class comment. */
  public static void main(String[] args) throws IOException, InterruptedException {
    new NetworkBench(BenchArguments.parse(args)).run();
  }

  private void run() throws IOException, InterruptedException {
    Optional<Path> image = arguments.image("mini");
    if (image.isEmpty()) {
      out.skipped("TCP into the guest", arguments.missingImage("mini", ""));
      return;
    }
    Path initrd = initrd(image.get());
    try (Peer ours = ours(image.get(), initrd);
        Peer qemu = qemu(image.get(), initrd)) {
      qemu.awaitReady();
      ours.awaitReady();
      out.progress("both guests listen");
      for (Peer peer : List.of(ours, qemu)) {
        peer.bulk('i', bulkBytes);
        peer.bulk('o', bulkBytes);
        peer.pings(pings);
      }
      measure(ours, qemu);
    } finally {
      Files.delete(initrd);
    }
  }

  private void measure(Peer ours, Peer qemu) throws IOException {
    List<Measured> measured =
        List.of(
            new Measured("TCP into the guest", peer -> peer.bulk('i', bulkBytes)),
            new Measured("TCP out of the guest", peer -> peer.bulk('o', bulkBytes)),
            new Measured("round trip of a byte", peer -> peer.pings(pings)));
    for (int round = 0; round < rounds; round++) {
      for (Measured m : measured) {
        m.ours.add(m.how.of(ours));
        m.theirs.add(m.how.of(qemu));
        out.progress("%s: %.1f, QEMU %.1f".formatted(m.name, m.ours.getLast(), m.theirs.getLast()));
      }
    }
    for (Measured m : measured.subList(0, 2)) {
      print(m, Better.HIGHER, "MB/s");
    }
    print(measured.get(2), Better.LOWER, "µs");
  }

  private void print(Measured m, Better better, String unit) {
    double value = median(m.ours);
    double peer = median(m.theirs);
    out.ratio(m.name, value / peer, "QEMU's user network", better)
        .with("value", value)
        .with("peer_value", peer)
        .with("unit", unit)
        .with("rounds", rounds)
        .with("target", 1.0)
        .print();
  }

  private static double median(List<Double> figures) {
    double[] sorted = figures.stream().mapToDouble(d -> d).sorted().toArray();
    return sorted[sorted.length / 2];
  }

  /** Something that is measured of both. */
  private interface How {
    double of(Peer peer) throws IOException;
  }

  private record Measured(String name, How how, List<Double> ours, List<Double> theirs) {
    Measured(String name, How how) {
      this(name, how, new ArrayList<>(), new ArrayList<>());
    }
  }

  // ---- guests ----

  private Path initrd(Path image) throws IOException, InterruptedException {
    Path program = Files.createTempFile("netserver", ".riscv64");
    try {
      int status =
          new ProcessBuilder(
                  "riscv64-linux-gnu-gcc",
                  "-O2",
                  "-static",
                  arguments.sources().resolve("linux/netserver.c").toString(),
                  "-o",
                  program.toString())
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start()
              .waitFor();
      if (status != 0) {
        throw new IOException("The guest's server does not compile.");
      }
      byte[] extra =
          new CpioArchive()
              .directory("bench")
              .program("bench/netserver", Files.readAllBytes(program))
              .toBytes();
      Path initrd = Files.createTempFile("netbench", ".initrd");
      Files.copy(image.resolve("initrd"), initrd, StandardCopyOption.REPLACE_EXISTING);
      Files.write(initrd, extra, StandardOpenOption.APPEND);
      return initrd;
    } finally {
      Files.delete(program);
    }
  }

  private Peer ours(Path image, Path initrd) throws IOException {
    int port = freePort();
    String net = "user,forward=tcp:" + port + ":10.0.2.15:" + GUEST_PORT;
    Contender ours =
        new LinuxGuest(image.resolve("kernel"), initrd, MEMORY_MIB, COMMAND_LINE)
            .inLockstep(arguments.lockstep(), "regions", "--net", net);
    return new Peer(port, ours.command());
  }

  private static Peer qemu(Path image, Path initrd) throws IOException {
    int port = freePort();
    Contender qemu =
        new LinuxGuest(image.resolve("kernel"), initrd, MEMORY_MIB, COMMAND_LINE)
            .inQemu(
                "qemu",
                "-netdev",
                "user,id=n,hostfwd=tcp:127.0.0.1:" + port + "-:" + GUEST_PORT,
                "-device",
                "virtio-net-device,netdev=n");
    return new Peer(port, qemu.command());
  }

  private static int freePort() throws IOException {
    try (ServerSocket any = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return any.getLocalPort();
    }
  }

  /** A guest with the server in it, and its port on this host. */
  private static final class Peer implements AutoCloseable {
    private final int port;
    private final Process process;

    Peer(int port, List<String> command) throws IOException {
      this.port = port;
      this.process =
          new ProcessBuilder(command)
              .redirectInput(new File("/dev/null"))
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
    }

    /** Waits until the server answers. */
    void awaitReady() throws IOException, InterruptedException {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(BOOT_SECONDS_MAX);
      while (System.nanoTime() < end && process.isAlive()) {
        try (Socket socket = connect()) {
          socket.setSoTimeout(5_000);
          request(socket, 'p', 0).write('x');
          if (socket.getInputStream().read() == 'x') {
            return;
          }
        } catch (IOException e) {
          Thread.sleep(200); // not yet
        }
      }
      throw new IOException("A guest did not start within %d s.".formatted(BOOT_SECONDS_MAX));
    }

    private Socket connect() throws IOException {
      Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
      socket.setTcpNoDelay(true);
      return socket;
    }

    private static DataOutputStream request(Socket socket, char what, long count)
        throws IOException {
      DataOutputStream out = new DataOutputStream(socket.getOutputStream());
      byte[] head = new byte[9];
      head[0] = (byte) what;
      for (int i = 0; i < 8; i++) {
        head[1 + i] = (byte) (count >>> 8 * (7 - i));
      }
      out.write(head);
      return out;
    }

    /** Transfers so many bytes into or out of the guest, and returns MB/s. */
    double bulk(char direction, long bytes) throws IOException {
      byte[] chunk = new byte[1 << 18];
      try (Socket socket = connect()) {
        long begin = System.nanoTime();
        DataOutputStream out = request(socket, direction, bytes);
        DataInputStream in = new DataInputStream(socket.getInputStream());
        if (direction == 'i') {
          for (long left = bytes; left > 0; left -= chunk.length) {
            out.write(chunk, 0, (int) Math.min(chunk.length, left));
          }
          in.readByte();
        } else {
          for (long left = bytes; left > 0; ) {
            int n = in.read(chunk, 0, (int) Math.min(chunk.length, left));
            if (n < 0) {
              throw new IOException("The guest's server ended early.");
            }
            left -= n;
          }
        }
        return bytes * 1e3 / (System.nanoTime() - begin);
      }
    }

    /** Sends bytes there and back one after the other; returns the median in microseconds. */
    double pings(int count) throws IOException {
      double[] times = new double[count];
      try (Socket socket = connect()) {
        DataOutputStream out = request(socket, 'p', 0);
        DataInputStream in = new DataInputStream(socket.getInputStream());
        for (int i = 0; i < count; i++) {
          long begin = System.nanoTime();
          out.write('p');
          in.readByte();
          times[i] = (System.nanoTime() - begin) / 1e3;
        }
      }
      Arrays.sort(times);
      return times[count / 2];
    }

    @Override
    public void close() {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
    }
  }
}
