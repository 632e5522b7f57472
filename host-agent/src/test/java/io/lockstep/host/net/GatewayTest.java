package io.lockstep.host.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lockstep.host.net.gateway.Forward;
import io.lockstep.host.net.gateway.GatewayConfig;
import io.lockstep.host.net.gateway.Outbound;
import io.lockstep.host.net.gateway.UserGateway;
import io.lockstep.host.net.tcp.TcpConfig;
import io.lockstep.host.net.tcp.TcpConnection;
import io.lockstep.host.net.wire.Ipv4;
import io.lockstep.host.net.wire.Offload;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The gateway with real sockets of the host on one side and a guest's stack on the other. */
@Timeout(60)
class GatewayTest {
  private static final boolean LONG = Boolean.getBoolean("lockstep.long");
  private static final long BYTES = LONG ? 100_000_000L : 3_000_000L;
  private static final int SEEDS = LONG ? 20 : 4;
  private static final int GUEST = UserGateway.FIRST_GUEST;
  private static final long MAC = 0x5254_0000_0001L;

  private final List<AutoCloseable> open = new ArrayList<>();
  @TempDir Path dir;

  @AfterEach
  void closeAll() throws Exception {
    for (AutoCloseable c : open.reversed()) {
      c.close();
    }
  }

  private VirtualSwitch network(Outbound outbound, String... forwards) throws IOException {
    Path resolvConf = Files.writeString(dir.resolve("resolv.conf"), "# none\n");
    List<Forward> list = new ArrayList<>();
    for (String forward : forwards) {
      list.add(Forward.parse(forward));
    }
    GatewayConfig config = new GatewayConfig(outbound, list, resolvConf, TcpConfig.DEFAULT);
    VirtualSwitch network =
        VirtualSwitch.start(VirtualSwitch.Config.inProcess(config, Optional.empty()));
    open.add(network);
    return network;
  }

  private GuestStack guest(VirtualSwitch network, int trouble, boolean offload, long seed) {
    GuestStack guest = new GuestStack("guest", MAC, GUEST, trouble, offload, seed);
    guest.link = network.connect("guest", offload ? Offload.ALL : Offload.NONE, guest);
    open.add(guest);
    return guest;
  }

  private static Socket connect(Forward forward) throws IOException {
    Socket socket = new Socket();
    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), forward.hostPort()));
    socket.setTcpNoDelay(true);
    return socket;
  }

  private static <T> CompletableFuture<T> async(Callable<T> work) {
    CompletableFuture<T> result = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(
            () -> {
              try {
                result.complete(work.call());
              } catch (Exception e) {
                result.completeExceptionally(e);
              }
            });
    return result;
  }

  private static long sendPattern(OutputStream out, long bytes) throws IOException {
    byte[] chunk = new byte[32 << 10];
    for (long at = 0; at < bytes; ) {
      int count = (int) Math.min(chunk.length, bytes - at);
      for (int i = 0; i < count; i++) {
        chunk[i] = GuestStack.pattern(at + i);
      }
      out.write(chunk, 0, count);
      at += count;
    }
    return bytes;
  }

  /** Reads to the end; -1 - position if a byte was wrong. */
  private static long checkPattern(InputStream in) throws IOException {
    byte[] chunk = new byte[32 << 10];
    long at = 0;
    for (int count = in.read(chunk); count >= 0; count = in.read(chunk)) {
      for (int i = 0; i < count; i++) {
        if (chunk[i] != GuestStack.pattern(at + i)) {
          return -1 - (at + i);
        }
      }
      at += count;
    }
    return at;
  }

  private void transferBothWays(int trouble, boolean offload, long seed, long bytes)
      throws Exception {
    VirtualSwitch network = network(Outbound.NONE, "tcp:0:10.0.2.15:80");
    GuestStack guest = guest(network, trouble, offload, seed);
    GuestStack.Transfer app = new GuestStack.Transfer(bytes);
    guest.servers.put(80, port -> app);
    try (Socket socket = connect(network.forwards().get(0))) {
      CompletableFuture<Long> sent =
          async(
              () -> {
                long count = sendPattern(socket.getOutputStream(), bytes);
                socket.shutdownOutput();
                return count;
              });
      assertThat(checkPattern(socket.getInputStream())).as("seed " + seed).isEqualTo(bytes);
      assertThat(sent.get()).isEqualTo(bytes);
      // The host's side counts as sent what the kernel and the gateway still hold.
      assertThat(app.over.get(LONG ? 600 : 30, TimeUnit.SECONDS))
          .isEqualTo(TcpConnection.End.FINISHED);
      assertThat(app.received.get()).as("seed " + seed).isEqualTo(bytes);
      assertThat(app.wrong).as("seed " + seed).isFalse();
    }
    assertNoFailure(network);
    guest.close();
    network.close();
  }

  private static void assertNoFailure(VirtualSwitch network) throws IOException {
    assertThat(network.<Long>onLoop(() -> network.gateway().failures())).isZero();
  }

  @Test
  void bytesGoBothWaysUnharmedWithOffloads() throws Exception {
    transferBothWays(0, true, 1, 20_000_000);
  }

  @Test
  void bytesGoBothWaysUnharmedWithoutOffloads() throws Exception {
    transferBothWays(0, false, 1, 20_000_000);
  }

  @Test
  @Timeout(1200)
  void lossDuplicationAndReorderingHarmNothing() throws Exception {
    for (long seed = 1; seed <= SEEDS; seed++) {
      transferBothWays(5, seed % 2 == 0, seed, BYTES);
    }
  }

  @Test
  void aThousandConnectionsAtOnce() throws Exception {
    VirtualSwitch network = network(Outbound.NONE, "tcp:0:10.0.2.15:7");
    GuestStack guest = guest(network, 0, true, 1);
    guest.servers.put(7, port -> new GuestStack.Echo());
    List<Socket> sockets = new ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      sockets.add(connect(network.forwards().get(0)));
    }
    for (int round = 0; round < 3; round++) {
      for (int i = 0; i < sockets.size(); i++) {
        sockets.get(i).getOutputStream().write(("hello " + i).getBytes(StandardCharsets.US_ASCII));
      }
      for (int i = 0; i < sockets.size(); i++) {
        String wanted = "hello " + i;
        byte[] got = sockets.get(i).getInputStream().readNBytes(wanted.length());
        assertThat(new String(got, StandardCharsets.US_ASCII)).isEqualTo(wanted);
      }
    }
    for (Socket socket : sockets) {
      socket.shutdownOutput();
      assertThat(socket.getInputStream().read()).isEqualTo(-1);
      socket.close();
    }
    assertThat(network.<Long>onLoop(() -> network.gateway().tcpBufferBytes()))
        .isLessThan(20_000_000L);
    assertNoFailure(network);
  }

  @Test
  void aGuestThatStopsReadingHoldsUpTheHostAndNotTheMemory() throws Exception {
    VirtualSwitch network = network(Outbound.NONE, "tcp:0:10.0.2.15:80");
    GuestStack guest = guest(network, 0, true, 1);
    GuestStack.Transfer app = new GuestStack.Transfer(0);
    app.reading = false;
    guest.servers.put(80, port -> app);
    try (Socket socket = connect(network.forwards().get(0))) {
      CompletableFuture<Long> sent = async(() -> sendPattern(socket.getOutputStream(), 50_000_000));
      long before = -1;
      for (long held = 0; held == 0 || held != before; ) {
        before = held;
        Thread.sleep(200);
        held = network.<Long>onLoop(() -> network.gateway().tcpBufferBytes());
      }
      assertThat(before).isBetween(1L, 1L << 20);
      assertThat(sent).isNotDone();
      app.reading = true;
      guest.poke(app.tcp::drain);
      assertThat(sent.get()).isEqualTo(50_000_000L);
    }
  }

  @Test
  void aClientThatStopsReadingHoldsUpTheGuestAndNotTheMemory() throws Exception {
    VirtualSwitch network = network(Outbound.NONE, "tcp:0:10.0.2.15:80");
    GuestStack guest = guest(network, 0, true, 1);
    guest.servers.put(80, port -> new GuestStack.Transfer(50_000_000));
    try (Socket socket = connect(network.forwards().get(0))) {
      long before = -1;
      for (long held = 0; held == 0 || held != before; ) {
        before = held;
        Thread.sleep(200);
        held = network.<Long>onLoop(() -> network.gateway().tcpBufferBytes());
      }
      assertThat(before).isBetween(1L, 1L << 20);
      assertThat(checkPattern(socket.getInputStream())).isEqualTo(50_000_000L);
    }
  }

  @Test
  void aPortNobodyServesIsRefused() throws Exception {
    VirtualSwitch network = network(Outbound.NONE, "tcp:0:10.0.2.15:81");
    guest(network, 0, true, 1);
    try (Socket socket = connect(network.forwards().get(0))) {
      assertThatThrownBy(() -> socket.getInputStream().read()).isInstanceOf(IOException.class);
    }
  }

  @Test
  void aClientThatResetsResetsTheGuest() throws Exception {
    VirtualSwitch network = network(Outbound.NONE, "tcp:0:10.0.2.15:80");
    GuestStack guest = guest(network, 0, true, 1);
    CompletableFuture<GuestStack.App> accepted = new CompletableFuture<>();
    guest.servers.put(
        80,
        port -> {
          GuestStack.Echo echo = new GuestStack.Echo();
          accepted.complete(echo);
          return echo;
        });
    try (Socket socket = connect(network.forwards().get(0))) {
      socket.getOutputStream().write(1);
      assertThat(socket.getInputStream().read()).isEqualTo(1);
      socket.setSoLinger(true, 0);
    }
    assertThat(accepted.get().over.get()).isEqualTo(TcpConnection.End.RESET);
    assertThat(network.<Integer>onLoop(() -> network.gateway().tcpFlows())).isZero();
  }

  @Test
  void connectionsEndTwoMinutesAfterTheirGuestIsGone() throws Exception {
    VirtualSwitch network = network(Outbound.NONE, "tcp:0:10.0.2.15:7");
    GuestStack guest = guest(network, 0, true, 1);
    guest.servers.put(7, port -> new GuestStack.Echo());
    long start = System.nanoTime();
    try (Socket socket = connect(network.forwards().get(0))) {
      socket.getOutputStream().write('a');
      assertThat(socket.getInputStream().read()).isEqualTo('a');
      sweepAfter(network, start, 0, 200);
      guest.link.close();
      sweepAfter(network, start, 200, 319);
      assertThat(network.<Integer>onLoop(() -> network.gateway().tcpFlows())).isEqualTo(1);
      sweepAfter(network, start, 321);
      assertThatThrownBy(() -> socket.getInputStream().read()).isInstanceOf(IOException.class);
    }
    assertThat(network.<Integer>onLoop(() -> network.gateway().tcpFlows())).isZero();
  }

  private static void sweepAfter(VirtualSwitch network, long start, int... seconds)
      throws IOException {
    for (int s : seconds) {
      network.onLoop(
          () -> {
            network.gateway().sweepConnections(start + s * 1_000_000_000L);
            return null;
          });
    }
  }

  @Test
  void aGuestReachesTheHostsLoopbackOnlyWhenAllowed() throws Exception {
    try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
      VirtualSwitch closed = network(Outbound.NONE);
      GuestStack.Transfer refused = new GuestStack.Transfer(0);
      guest(closed, 0, true, 1).connect(UserGateway.GATEWAY, server.getLocalPort(), 4000, refused);
      assertThat(refused.over.get()).isEqualTo(TcpConnection.End.RESET);

      VirtualSwitch loopback = network(Outbound.LOOPBACK);
      GuestStack guest = guest(loopback, 0, true, 1);
      GuestStack.Transfer app = new GuestStack.Transfer(100_000);
      guest.connect(UserGateway.GATEWAY, server.getLocalPort(), 4000, app);
      try (Socket socket = server.accept()) {
        assertThat(checkPattern(socket.getInputStream())).isEqualTo(100_000);
        sendPattern(socket.getOutputStream(), 5000);
      }
      assertThat(app.over.get()).isEqualTo(TcpConnection.End.FINISHED);
      assertThat(app.received.get()).isEqualTo(5000);

      GuestStack.Transfer elsewhere = new GuestStack.Transfer(0);
      guest.connect(Ipv4.parse("127.0.0.1"), server.getLocalPort(), 4001, elsewhere);
      assertThat(elsewhere.over.get()).isEqualTo(TcpConnection.End.RESET);
    }
  }

  @Test
  void aGuestCannotReachTheSwitchsOwnPort() throws Exception {
    GatewayConfig config = GatewayConfig.of(Outbound.ANY, List.of());
    VirtualSwitch network =
        VirtualSwitch.start(
            new VirtualSwitch.Config(
                List.of(SwitchAddress.parse("127.0.0.1:0")),
                Optional.empty(),
                Optional.of(config),
                Optional.empty(),
                Optional.empty(),
                L2Switch.Limits.DEFAULT));
    open.add(network);
    int port = ((SwitchAddress.Tcp) network.addresses().get(0)).port();
    GuestStack.Transfer app = new GuestStack.Transfer(0);
    guest(network, 0, true, 1).connect(UserGateway.GATEWAY, port, 4000, app);
    assertThat(app.over.get()).isEqualTo(TcpConnection.End.RESET);
  }

  @Test
  void aConnectionThatTheHostRefusesIsResetForTheGuest() throws Exception {
    int unused;
    try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
      unused = server.getLocalPort();
    }
    GuestStack.Transfer app = new GuestStack.Transfer(0);
    guest(network(Outbound.LOOPBACK), 0, true, 1).connect(UserGateway.GATEWAY, unused, 4000, app);
    assertThat(app.over.get()).isEqualTo(TcpConnection.End.RESET);
  }

  @Test
  void datagramsFindTheirWayThereAndBack() throws Exception {
    VirtualSwitch network = network(Outbound.LOOPBACK, "udp:0:10.0.2.15:53");
    GuestStack guest = guest(network, 0, true, 1);
    try (DatagramSocket host = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
      byte[] big = "x".repeat(5000).getBytes(StandardCharsets.US_ASCII);
      guest.sendUdp(
          UserGateway.GATEWAY,
          3333,
          host.getLocalPort(),
          "ping".getBytes(StandardCharsets.US_ASCII));
      DatagramPacket got = new DatagramPacket(new byte[9000], 9000);
      host.receive(got);
      assertThat(new String(got.getData(), 0, got.getLength(), StandardCharsets.US_ASCII))
          .isEqualTo("ping");
      host.send(
          new DatagramPacket(
              "pong".getBytes(StandardCharsets.US_ASCII), 4, got.getSocketAddress()));
      assertThat(guest.datagrams.take()).isEqualTo("10.0.2.2:" + host.getLocalPort() + " pong");

      // Through the forward, and the guest's answer to the port it came from.
      InetSocketAddress forward =
          new InetSocketAddress(
              InetAddress.getLoopbackAddress(), network.forwards().get(0).hostPort());
      host.send(new DatagramPacket(new byte[] {'q'}, 1, forward));
      String question = guest.datagrams.take();
      assertThat(question).startsWith("10.0.2.2:").endsWith(" q");
      int port = Integer.parseInt(question.substring(9, question.indexOf(' ')));
      guest.sendUdp(UserGateway.GATEWAY, 53, port, big);
      host.receive(got);
      assertThat(got.getSocketAddress()).isEqualTo(forward);
      assertThat(got.getLength()).isEqualTo(5000);
    }
  }

  @Test
  void dnsIsRefusedWhenNothingIsAllowed() throws Exception {
    VirtualSwitch network = network(Outbound.NONE);
    GuestStack guest = guest(network, 0, true, 1);
    byte[] query = new byte[20];
    query[0] = 0x12;
    guest.sendUdp(UserGateway.DNS, 4444, 53, query);
    String answer = guest.datagrams.take();
    assertThat(answer).startsWith("10.0.2.3:53 \u0012");
    assertThat(answer.charAt("10.0.2.3:53 ".length() + 3) & 15).isEqualTo(5);
  }

  @Test
  void portsInUseAreSaidPlainly() throws Exception {
    try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
      String forward = "tcp:" + server.getLocalPort() + ":10.0.2.15:22";
      assertThatThrownBy(() -> network(Outbound.NONE, forward))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("tcp:127.0.0.1:" + server.getLocalPort())
          .hasMessageContaining("choose another host port");
    }
  }
}
