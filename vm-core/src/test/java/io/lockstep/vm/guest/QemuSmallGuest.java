package io.lockstep.vm.guest;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The small guest in a process of QEMU. Closing it kills the process as hard as kill -9 does. */
final class QemuSmallGuest implements AutoCloseable {
  private static final String QEMU = "qemu-system-riscv64";
  private static final int PORT_ATTEMPTS = 10;
  private static final int BOOT_MS_MAX = 30_000;

  private final Process process;
  private final Path console;
  private final int port;

  private QemuSmallGuest(Process process, Path console, int port) {
    this.process = process;
    this.console = console;
    this.port = port;
  }

  static void assumeInstalled() {
    boolean found =
        Stream.of(System.getenv("PATH").split(":", -1))
            .anyMatch(directory -> Files.isExecutable(Path.of(directory, QEMU)));
    assumeTrue(
        found, "needs " + QEMU + ": install the Debian packages qemu-system-misc and opensbi");
  }

  /** With QEMU's own network, where {@link #port} of this host leads to the service. */
  static QemuSmallGuest withForwardedPort(Path directory, Path disk, String commandLine)
      throws IOException, InterruptedException {
    for (int attempt = 0; ; attempt++) {
      int port = freePort();
      String forward = "hostfwd=%s:127.0.0.1:" + port + "-:" + SmallGuest.PORT;
      String network = "user,id=n," + forward.formatted("tcp") + "," + forward.formatted("udp");
      QemuSmallGuest guest = start(directory, disk, commandLine, network, port);
      // Somebody else may have taken the port meanwhile; then QEMU ends at once.
      if (guest.isBooted() || attempt == PORT_ATTEMPTS) {
        return guest;
      }
      guest.close();
    }
  }

  /** With its network at a socket: each frame follows its length, a big-endian int. */
  static QemuSmallGuest withWire(Path directory, ServerSocket wire, String commandLine)
      throws IOException {
    String network =
        "stream,id=n,server=off,addr.type=inet,addr.host=127.0.0.1,addr.port="
            + wire.getLocalPort();
    return start(directory, null, commandLine, network, wire.getLocalPort());
  }

  int port() {
    return port;
  }

  String console() throws IOException {
    return Files.readString(console);
  }

  /** Waits until the guest switches itself off. */
  int awaitExit() throws InterruptedException {
    if (!process.waitFor(BOOT_MS_MAX, TimeUnit.MILLISECONDS)) {
      throw new IllegalStateException("QEMU does not end");
    }
    return process.exitValue();
  }

  @Override
  public void close() {
    process.destroyForcibly().onExit().join();
  }

  /** Whether the service answers before the process ends. */
  private boolean isBooted() throws IOException, InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(BOOT_MS_MAX);
    while (process.isAlive() && System.nanoTime() < deadline) {
      if (console().contains("[small] ready")) {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
          return socket.isConnected();
        }
      }
      process.waitFor(10, TimeUnit.MILLISECONDS);
    }
    return false;
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private static QemuSmallGuest start(
      Path directory, Path disk, String commandLine, String network, int port) throws IOException {
    Path elf = directory.resolve("small.elf");
    Path console = directory.resolve("console");
    Files.write(elf, SmallGuest.elf());
    Files.deleteIfExists(console);
    Files.createFile(console);
    List<String> command =
        new ArrayList<>(
            List.of(QEMU, "-M", "virt", "-m", "32", "-display", "none", "-monitor", "none"));
    command.addAll(List.of("-global", "virtio-mmio.force-legacy=false", "-no-reboot"));
    command.addAll(List.of("-serial", "file:" + console, "-kernel", elf.toString()));
    command.addAll(List.of("-append", commandLine));
    command.addAll(List.of("-netdev", network, "-device", "virtio-net-device,netdev=n"));
    if (disk != null) {
      command.addAll(List.of("-drive", "if=none,id=d,format=raw,file=" + disk));
      command.addAll(List.of("-device", "virtio-blk-device,drive=d"));
    }
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("qemu.log").toFile())
            .start();
    Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
    return new QemuSmallGuest(process, console, port);
  }
}
