package io.lockstep.host.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lockstep.host.net.gateway.Forward;
import io.lockstep.host.net.gateway.GatewayConfig;
import io.lockstep.host.net.gateway.Outbound;
import io.lockstep.host.net.gateway.UserGateway;
import io.lockstep.host.net.tcp.TcpConfig;
import io.lockstep.host.net.wire.Bytes;
import io.lockstep.host.net.wire.EtherType;
import io.lockstep.host.net.wire.Frame;
import io.lockstep.host.net.wire.Mac;
import io.lockstep.host.net.wire.Offload;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Ports over real sockets. */
@Timeout(60)
class SwitchClientTest {
  private static final long MAC_A = 0x5254_0000_00a0L;
  private static final long MAC_B = 0x5254_0000_00b0L;
  private static final UUID VM = new UUID(7, 7);

  private final List<AutoCloseable> open = new ArrayList<>();
  @TempDir Path dir;

  @AfterEach
  void closeAll() throws Exception {
    for (AutoCloseable c : open.reversed()) {
      c.close();
    }
  }

  private static final class Events implements SwitchClient.Listener {
    final LinkedBlockingQueue<String> packets = new LinkedBlockingQueue<>();
    final LinkedBlockingQueue<ClaimAnswer> answers = new LinkedBlockingQueue<>();
    final CompletableFuture<ClaimAnswer> refused = new CompletableFuture<>();
    final LinkedBlockingQueue<String> disconnects = new LinkedBlockingQueue<>();

    @Override
    public void packet(byte[] data, int offset, int length) {
      int text = Frame.VNET_HEADER + EtherType.HEADER;
      boolean rarp = Bytes.u16(data, offset + Frame.VNET_HEADER + 12) == EtherType.RARP;
      packets.add(
          rarp
              ? "announcement"
              : new String(
                      data,
                      offset + text,
                      length - text,
                      java.nio.charset.StandardCharsets.US_ASCII)
                  .trim());
    }

    @Override
    public void answered(ClaimAnswer answer) {
      answers.add(answer);
    }

    @Override
    public void refused(ClaimAnswer answer, long newestEpoch) {
      refused.complete(answer);
    }

    @Override
    public void disconnected(String reason) {
      disconnects.add(reason);
    }
  }

  private VirtualSwitch start(String listen) throws IOException {
    return start(listen, Optional.empty(), Optional.empty());
  }

  private VirtualSwitch start(
      String listen, Optional<TlsFiles> tls, Optional<GatewayConfig> gateway) throws IOException {
    VirtualSwitch network =
        VirtualSwitch.start(
            new VirtualSwitch.Config(
                List.of(SwitchAddress.parse(listen)),
                tls,
                gateway,
                Optional.empty(),
                Optional.empty(),
                L2Switch.Limits.DEFAULT));
    open.add(network);
    return network;
  }

  private SwitchClient.Config config(VirtualSwitch network, UUID vm, long mac) {
    return new SwitchClient.Config(
        network.addresses().get(0), Optional.empty(), vm, mac, Offload.ALL);
  }

  private static byte[] packet(long to, long from, String text) {
    byte[] b = new byte[Frame.VNET_HEADER + EtherType.HEADER + text.length()];
    EtherType.writeHeader(b, Frame.VNET_HEADER, to, from, 0x1234);
    System.arraycopy(
        text.getBytes(java.nio.charset.StandardCharsets.US_ASCII),
        0,
        b,
        Frame.VNET_HEADER + 14,
        text.length());
    return b;
  }

  private static void send(SwitchClient client, long to, long from, String text) {
    byte[] b = packet(to, from, text);
    client.send(b, 0, b.length);
  }

  private SwitchClient primary(VirtualSwitch network, UUID vm, long mac, long epoch, Events events)
      throws Exception {
    SwitchClient client = SwitchClient.primary(config(network, vm, mac), epoch, events);
    open.add(client);
    assertThat(events.answers.take()).isEqualTo(ClaimAnswer.OWNER);
    return client;
  }

  @Test
  void packetsTravelBetweenPortsOverTcpAndUnixSockets() throws Exception {
    for (String listen : List.of("127.0.0.1:0", "unix:" + dir.resolve("sw"))) {
      VirtualSwitch network = start(listen);
      Events a = new Events();
      Events b = new Events();
      SwitchClient clientA = primary(network, VM, MAC_A, 1, a);
      SwitchClient clientB = primary(network, new UUID(8, 8), MAC_B, 1, b);
      send(clientA, MAC_B, MAC_A, "hello");
      assertThat(b.packets.take()).isEqualTo("hello");
      send(clientB, MAC_A, MAC_B, "hello back");
      assertThat(a.packets.take()).isEqualTo("announcement");
      assertThat(a.packets.take()).isEqualTo("hello back");
    }
  }

  @Test
  void aSecondaryTakesOverWithOneMessageAndTheOldOneIsCutOff() throws Exception {
    VirtualSwitch network = start("127.0.0.1:0");
    Events peerEvents = new Events();
    SwitchClient peer = primary(network, new UUID(8, 8), MAC_B, 1, peerEvents);
    Events oldEvents = new Events();
    SwitchClient old = primary(network, VM, MAC_A, 1, oldEvents);
    assertThat(peerEvents.packets.take()).isEqualTo("announcement");
    Events survivorEvents = new Events();
    SwitchClient survivor = SwitchClient.secondary(config(network, VM, MAC_A), survivorEvents);
    open.add(survivor);
    assertThat(survivorEvents.answers.take()).isEqualTo(ClaimAnswer.WAITING);
    send(survivor, MAC_B, MAC_A, "too early");
    assertThat(survivor.dropped()).isEqualTo(1);

    CompletableFuture<ClaimAnswer> claim = survivor.claim(2);
    send(survivor, MAC_B, MAC_A, "from the survivor");
    assertThat(claim.get()).isEqualTo(ClaimAnswer.OWNER);
    assertThat(oldEvents.refused.get()).isEqualTo(ClaimAnswer.STALE_EPOCH);
    send(old, MAC_B, MAC_A, "stale");
    assertThat(peerEvents.packets.take()).isEqualTo("announcement");
    assertThat(peerEvents.packets.take()).isEqualTo("from the survivor");
    send(peer, MAC_A, MAC_B, "to whom");
    assertThat(survivorEvents.packets.take()).isEqualTo("to whom");
    assertThat(oldEvents.packets).doesNotContain("to whom");
    assertThat(peerEvents.packets).isEmpty();

    Events late = new Events();
    open.add(SwitchClient.primary(config(network, VM, MAC_A), 1, late));
    assertThat(late.refused.get()).isEqualTo(ClaimAnswer.STALE_EPOCH);
  }

  @Test
  void aPortComesBackWhenTheSwitchDoes() throws Exception {
    VirtualSwitch first = start("127.0.0.1:0");
    Events events = new Events();
    SwitchClient client = primary(first, VM, MAC_A, 4, events);
    String address = first.addresses().get(0).toString();
    first.close();
    assertThat(events.disconnects.take()).isNotEmpty();
    send(client, MAC_B, MAC_A, "lost");
    VirtualSwitch second = start(address);
    assertThat(events.answers.take()).isEqualTo(ClaimAnswer.OWNER);
    assertThat(second.statusJson()).contains("\"epoch\":4").contains(Mac.format(MAC_A));
  }

  @Test
  void aPlainQemuPeerJoinsWithoutAWord() throws Exception {
    VirtualSwitch network = start("127.0.0.1:0");
    Events events = new Events();
    SwitchClient vm = primary(network, VM, MAC_A, 1, events);
    SwitchAddress.Tcp address = (SwitchAddress.Tcp) network.addresses().get(0);
    try (Socket qemu = new Socket(InetAddress.getLoopbackAddress(), address.port())) {
      DataOutputStream out = new DataOutputStream(qemu.getOutputStream());
      byte[] frame = packet(Mac.BROADCAST, MAC_B, "plain");
      out.writeInt(frame.length - Frame.VNET_HEADER);
      out.write(frame, Frame.VNET_HEADER, frame.length - Frame.VNET_HEADER);
      assertThat(events.packets.take()).isEqualTo("plain");
      send(vm, MAC_B, MAC_A, "for qemu");
      DataInputStream in = new DataInputStream(qemu.getInputStream());
      byte[] got = in.readNBytes(in.readInt());
      assertThat(new String(got, 14, got.length - 14, java.nio.charset.StandardCharsets.US_ASCII))
          .isEqualTo("for qemu");
    }
  }

  @Test
  void aStreamOfNoiseClosesItsConnectionAndNothingElse() throws Exception {
    VirtualSwitch network =
        start(
            "127.0.0.1:0",
            Optional.empty(),
            Optional.of(GatewayConfig.of(Outbound.LOOPBACK, List.of())));
    SwitchAddress.Tcp address = (SwitchAddress.Tcp) network.addresses().get(0);
    Random random = new Random(42);
    for (int i = 0; i < 200; i++) {
      try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), address.port())) {
        byte[] noise = new byte[random.nextInt(3000)];
        random.nextBytes(noise);
        if (i % 3 == 0 && noise.length > 20) {
          Bytes.put32(noise, 0, ControlMessage.CONTROL_BIT | random.nextInt(60));
          Bytes.put32(noise, 8, ControlMessage.MAGIC);
          noise[4] = (byte) random.nextInt(7);
          noise[5] = 1;
        }
        socket.getOutputStream().write(noise);
      } catch (IOException e) {
        assertThat(e).isNotNull(); // the switch may be quicker to close
      }
    }
    Events events = new Events();
    primary(network, VM, MAC_A, 1, events);
    assertThat(network.<Long>onLoop(() -> network.gateway().failures())).isZero();
  }

  @Test
  void statusNamesPortsAndCounters() throws Exception {
    VirtualSwitch network = start("127.0.0.1:0");
    primary(network, VM, MAC_A, 9, new Events());
    String json = SwitchClient.status(network.addresses().get(0), Optional.empty());
    assertThat(json)
        .contains("\"role\":\"owner\"")
        .contains("\"vm\":\"" + VM + "\"")
        .contains("\"epoch\":9")
        .contains("\"framesIn\":0");
  }

  /** A guest that echoes at port 7 of its own and at a port of the host. */
  private record Echo(VirtualSwitch network, GuestStack guest, SwitchClient link) {
    InetSocketAddress address() {
      return new InetSocketAddress(
          InetAddress.getLoopbackAddress(), network.forwards().get(0).hostPort());
    }

    /** A client for which it has echoed already. */
    Socket connect() throws IOException {
      Socket client = new Socket();
      client.connect(address());
      client.getOutputStream().write('a');
      assertThat(client.getInputStream().read()).isEqualTo('a');
      return client;
    }
  }

  private Echo echo(TcpConfig tcp) throws Exception {
    Forward forward = Forward.parse("tcp:0:10.0.2.15:7");
    VirtualSwitch network =
        start(
            "127.0.0.1:0",
            Optional.empty(),
            Optional.of(
                new GatewayConfig(Outbound.NONE, List.of(forward), dir.resolve("none"), tcp)));
    GuestStack guest = new GuestStack("guest", MAC_A, UserGateway.FIRST_GUEST, 0, true, 1);
    open.add(guest);
    guest.servers.put(7, port -> new GuestStack.Echo());
    SwitchClient link = SwitchClient.primary(config(network, VM, MAC_A), 1, guest);
    guest.link = link;
    return new Echo(network, guest, link);
  }

  @Test
  void aTcpConnectionSurvivesTheDeathOfTheGuestsProcess() throws Exception {
    Echo echo = echo(TcpConfig.DEFAULT);
    GuestStack guest = echo.guest;
    SwitchClient before = echo.link;
    try (Socket client = echo.connect()) {
      // The process is gone, and with it what was on its way; the guest's state lives on elsewhere.
      before.close();
      client.getOutputStream().write('b');
      Events none = new Events();
      assertThat(none.packets).isEmpty();
      SwitchClient after = SwitchClient.secondary(config(echo.network, VM, MAC_A), guest);
      guest.link = after;
      assertThat(after.claim(2).get(10, TimeUnit.SECONDS)).isEqualTo(ClaimAnswer.OWNER);
      assertThat(client.getInputStream().read()).isEqualTo('b');
    }
  }

  /** Retransmission timeouts of an hour: what arrives was sent for another reason. */
  private static TcpConfig withoutTimeouts() {
    TcpConfig d = TcpConfig.DEFAULT;
    long hour = 3_600_000_000_000L;
    return new TcpConfig(
        d.mss(),
        d.burst(),
        d.sendBuffer(),
        d.receiveBuffer(),
        hour,
        hour,
        hour,
        d.delayedAck(),
        hour,
        hour,
        hour,
        d.timeWait(),
        hour,
        hour);
  }

  @Test
  void aNewEpochGetsAtOnceWhatTheOldOneHasNotAcknowledgedWhateverTheTimeouts() throws Exception {
    Echo echo = echo(withoutTimeouts());
    GuestStack guest = echo.guest;
    SwitchClient before = echo.link;
    try (Socket client = echo.connect();
        Socket opening = new Socket()) {
      // The old process stands still: it takes what comes and answers nothing.
      guest.deaf = true;
      client.getOutputStream().write('b');
      opening.connect(echo.address());
      opening.getOutputStream().write('c');
      guest.ignored.acquire(2);
      guest.deaf = false;
      SwitchClient after = SwitchClient.secondary(config(echo.network, VM, MAC_A), guest);
      guest.link = after;
      open.add(before);
      assertThat(after.claim(2).get(10, TimeUnit.SECONDS)).isEqualTo(ClaimAnswer.OWNER);
      assertThat(client.getInputStream().read()).isEqualTo('b');
      assertThat(opening.getInputStream().read()).isEqualTo('c');
    }
  }

  @Test
  void aPortThatComesBackGetsAtOnceWhatItMissed() throws Exception {
    Echo echo = echo(withoutTimeouts());
    GuestStack guest = echo.guest;
    SwitchClient before = echo.link;
    try (Socket client = echo.connect()) {
      guest.deaf = true;
      client.getOutputStream().write('b');
      guest.ignored.acquire();
      guest.deaf = false;
      before.close();
      guest.link = SwitchClient.primary(config(echo.network, VM, MAC_A), 2, guest);
      assertThat(client.getInputStream().read()).isEqualTo('b');
    }
  }

  @Test
  void aFrozenPortThatWakesUpSendsNothing() throws Exception {
    VirtualSwitch network = start("127.0.0.1:0");
    Events peerEvents = new Events();
    primary(network, new UUID(8, 8), MAC_B, 1, peerEvents);
    SwitchAddress.Tcp address = (SwitchAddress.Tcp) network.addresses().get(0);
    byte[] stale = packet(MAC_B, MAC_A, "stale");
    try (Socket frozen = new Socket(InetAddress.getLoopbackAddress(), address.port())) {
      DataOutputStream out = new DataOutputStream(frozen.getOutputStream());
      out.write(
          ControlMessage.encode(new ControlMessage.Hello(true, VM, 1, 99, MAC_A, Offload.ALL)));
      assertThat(peerEvents.packets.take()).isEqualTo("announcement");
      out.writeInt(stale.length);
      out.write(stale);
      assertThat(peerEvents.packets.take()).isEqualTo("stale");

      Events survivorEvents = new Events();
      SwitchClient survivor = primary(network, VM, MAC_A, 2, survivorEvents);
      assertThat(peerEvents.packets.take()).isEqualTo("announcement");
      try {
        for (int i = 0; i < 100; i++) {
          out.writeInt(stale.length);
          out.write(stale);
        }
      } catch (IOException e) {
        assertThat(e).isNotNull(); // the switch has closed the connection
      }
      send(survivor, MAC_B, MAC_A, "fresh");
      assertThat(peerEvents.packets.take()).isEqualTo("fresh");
      assertThat(peerEvents.packets).isEmpty();
      assertThat(network.statusJson()).doesNotContain(VM + "\",\"epoch\":1,");
    }
  }

  @Test
  void otherHostsNeedTls() {
    assertThatThrownBy(() -> start("0.0.0.0:0"))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("--tls-cert");
  }

  @Test
  void anAddressInUseIsSaidPlainly() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
      assertThatThrownBy(() -> start("127.0.0.1:" + taken.getLocalPort()))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("127.0.0.1:" + taken.getLocalPort())
          .hasMessageContaining("--listen");
    }
    VirtualSwitch first = start("unix:" + dir.resolve("s"));
    assertThatThrownBy(() -> start("unix:" + dir.resolve("s")))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("another process");
    assertThat(first.addresses()).hasSize(1);
  }
}
