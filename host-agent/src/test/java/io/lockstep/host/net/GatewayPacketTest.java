package io.lockstep.host.net;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.host.net.gateway.Forward;
import io.lockstep.host.net.gateway.GatewayConfig;
import io.lockstep.host.net.gateway.Outbound;
import io.lockstep.host.net.gateway.UserGateway;
import io.lockstep.host.net.tcp.TcpConfig;
import io.lockstep.host.net.wire.Bytes;
import io.lockstep.host.net.wire.EtherType;
import io.lockstep.host.net.wire.Frame;
import io.lockstep.host.net.wire.InternetChecksum;
import io.lockstep.host.net.wire.Ipv4;
import io.lockstep.host.net.wire.Mac;
import io.lockstep.host.net.wire.Offload;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the gateway answers to single packets, sensible and not. */
@Timeout(60)
class GatewayPacketTest {
  private static final long MAC = 0x5254_0000_0001L;
  private static final int GUEST = UserGateway.FIRST_GUEST;
  private VirtualSwitch network;
  private GuestStack guest;

  @BeforeEach
  void start() throws Exception {
    GatewayConfig config =
        new GatewayConfig(
            Outbound.NONE,
            List.of(Forward.parse("tcp:0:10.0.2.15:7"), Forward.parse("udp:0:10.0.2.15:7")),
            Path.of("no-such-resolv.conf"),
            TcpConfig.DEFAULT);
    network = VirtualSwitch.start(VirtualSwitch.Config.inProcess(config, Optional.empty()));
    guest = new GuestStack("guest", MAC, GUEST, 0, false, 1);
    guest.link = network.connect("guest", Offload.NONE, guest);
    guest.keepFrames = true;
  }

  @AfterEach
  void stop() {
    guest.close();
    network.close();
  }

  private byte[] nextFrame(int etherType) throws InterruptedException {
    while (true) {
      byte[] b = guest.frames.take();
      if (Bytes.u16(b, 12) == etherType) {
        return b;
      }
    }
  }

  private static byte[] ip(
      int protocol, int source, int destination, byte[] payload, int fragment) {
    byte[] b = new byte[34 + payload.length];
    EtherType.writeHeader(b, 0, UserGateway.MAC, MAC, EtherType.IPV4);
    Ipv4.writeHeader(b, 14, protocol, source, destination, 20 + payload.length, 77, fragment);
    System.arraycopy(payload, 0, b, 34, payload.length);
    return b;
  }

  private static byte[] echo(int size) {
    byte[] b = new byte[8 + size];
    new Random(size).nextBytes(b);
    b[0] = 8;
    b[1] = 0;
    Bytes.put16(b, 2, 0);
    Bytes.put16(b, 2, InternetChecksum.of(b, 0, b.length));
    return b;
  }

  private static byte[] dhcp(long mac, int type, int requested) {
    byte[] b = new byte[34 + 8 + 260];
    EtherType.writeHeader(b, 0, Mac.BROADCAST, mac, EtherType.IPV4);
    Ipv4.writeHeader(b, 14, Ipv4.UDP, 0, -1, b.length - 14, 1, 0);
    Bytes.put16(b, 34, 68);
    Bytes.put16(b, 36, 67);
    Bytes.put16(b, 38, b.length - 34);
    int d = 42;
    b[d] = 1;
    b[d + 1] = 1;
    b[d + 2] = 6;
    Bytes.put32(b, d + 4, 0x1234_5678);
    Bytes.put16(b, d + 10, 0x8000);
    Bytes.put48(b, d + 28, mac);
    Bytes.put32(b, d + 236, 0x6382_5363);
    b[d + 240] = 53;
    b[d + 241] = 1;
    b[d + 242] = (byte) type;
    b[d + 243] = 50;
    b[d + 244] = 4;
    Bytes.put32(b, d + 245, requested);
    b[d + 249] = (byte) 255;
    return b;
  }

  /** Message type and address of an answer. */
  private static String lease(byte[] b) {
    assertThat(Bytes.i32(b, 42 + 4)).isEqualTo(0x1234_5678);
    return b[42 + 242] + " " + Ipv4.format(Bytes.i32(b, 42 + 16));
  }

  @Test
  void arpNamesTheGatewayAndTheDnsRelay() throws Exception {
    for (int address : new int[] {UserGateway.GATEWAY, UserGateway.DNS}) {
      guest.loop.execute(() -> guest.sendArp(1, Mac.BROADCAST, address));
      byte[] b = nextFrame(EtherType.ARP);
      assertThat(Bytes.u16(b, 20)).isEqualTo(2);
      assertThat(Bytes.u48(b, 22)).isEqualTo(UserGateway.MAC);
      assertThat(Bytes.i32(b, 28)).isEqualTo(address);
    }
  }

  @Test
  void dhcpGivesEachAddressOnceAndKeepsIt() throws Exception {
    guest.sendFrame(dhcp(MAC, 1, 0));
    assertThat(lease(nextFrame(EtherType.IPV4))).isEqualTo("2 10.0.2.15");
    guest.sendFrame(dhcp(MAC, 3, GUEST));
    assertThat(lease(nextFrame(EtherType.IPV4))).isEqualTo("5 10.0.2.15");
    guest.sendFrame(dhcp(MAC + 1, 1, GUEST));
    assertThat(lease(nextFrame(EtherType.IPV4))).isEqualTo("2 10.0.2.16");
    guest.sendFrame(dhcp(MAC + 2, 3, Ipv4.parse("10.0.2.40")));
    assertThat(lease(nextFrame(EtherType.IPV4))).isEqualTo("5 10.0.2.40");
    guest.sendFrame(dhcp(MAC + 3, 3, Ipv4.parse("10.0.2.40")));
    assertThat(lease(nextFrame(EtherType.IPV4))).isEqualTo("6 0.0.0.0");
    guest.sendFrame(dhcp(MAC, 1, Ipv4.parse("10.0.2.99")));
    assertThat(lease(nextFrame(EtherType.IPV4))).isEqualTo("2 10.0.2.15");
  }

  @Test
  void pingsOfTheGatewayAreAnsweredAlsoInFragments() throws Exception {
    byte[] small = echo(56);
    guest.sendFrame(ip(Ipv4.ICMP, GUEST, UserGateway.GATEWAY, small, 0));
    byte[] answer = nextFrame(EtherType.IPV4);
    assertThat(answer[34]).isZero();
    assertThat(InternetChecksum.of(answer, 34, answer.length - 34)).isZero();
    assertThat(Arrays.copyOfRange(answer, 38, answer.length))
        .isEqualTo(Arrays.copyOfRange(small, 4, small.length));

    byte[] large = echo(3000);
    guest.sendFrame(
        ip(
            Ipv4.ICMP,
            GUEST,
            UserGateway.GATEWAY,
            Arrays.copyOfRange(large, 1480, large.length),
            185 | Ipv4.MORE_FRAGMENTS));
    guest.sendFrame(
        ip(
            Ipv4.ICMP,
            GUEST,
            UserGateway.GATEWAY,
            Arrays.copyOfRange(large, 0, 1480),
            Ipv4.MORE_FRAGMENTS));
    guest.sendFrame(
        ip(
            Ipv4.ICMP,
            GUEST,
            UserGateway.GATEWAY,
            Arrays.copyOfRange(large, 2960, large.length),
            370));
    int got = 0;
    for (int i = 0; i < 3; i++) {
      byte[] b = nextFrame(EtherType.IPV4);
      got += b.length - 34;
      assertThat(b.length).isLessThanOrEqualTo(1514);
    }
    assertThat(got).isEqualTo(large.length);
  }

  @Test
  void whatIsNotAllowedIsToldSo() throws Exception {
    byte[] udp = new byte[12];
    Bytes.put16(udp, 0, 1000);
    Bytes.put16(udp, 2, 2000);
    Bytes.put16(udp, 4, 12);
    guest.sendFrame(ip(Ipv4.UDP, GUEST, Ipv4.parse("127.0.0.1"), udp, 0));
    byte[] b = nextFrame(EtherType.IPV4);
    assertThat(b[34]).isEqualTo((byte) 3);
    assertThat(b[35]).isEqualTo((byte) 13);
    assertThat(Bytes.i32(b, 34 + 8 + 16)).isEqualTo(Ipv4.parse("127.0.0.1"));
  }

  @Test
  void anAddressLeasedToOneGuestIsNotBelievedOfAnother() throws Exception {
    guest.sendFrame(dhcp(MAC + 1, 3, Ipv4.parse("10.0.2.50")));
    assertThat(lease(nextFrame(EtherType.IPV4))).isEqualTo("5 10.0.2.50");
    guest.sendFrame(ip(Ipv4.ICMP, Ipv4.parse("10.0.2.50"), UserGateway.GATEWAY, echo(8), 0));
    guest.sendFrame(ip(Ipv4.ICMP, GUEST, UserGateway.GATEWAY, echo(9), 0));
    byte[] b = nextFrame(EtherType.IPV4);
    assertThat(Bytes.i32(b, 30)).isEqualTo(GUEST);
  }

  /** Packets that are nearly right reach more code than noise does. */
  @Test
  void fuzzedFramesBreakNothingAndLeakNothing() throws Exception {
    List<Socket> clients = new ArrayList<>();
    guest.servers.put(7, port -> new GuestStack.Echo());
    for (int i = 0; i < 10; i++) {
      clients.add(
          new Socket(InetAddress.getLoopbackAddress(), network.forwards().get(0).hostPort()));
    }
    guest.keepFrames = false;
    for (long seed = 1; seed <= 40; seed++) {
      Random random = new Random(seed);
      for (int i = 0; i < 500; i++) {
        byte[] b = mutated(random);
        byte[] packet = new byte[Frame.VNET_HEADER + b.length];
        System.arraycopy(b, 0, packet, Frame.VNET_HEADER, b.length);
        if (random.nextInt(4) == 0) {
          packet[0] = (byte) random.nextInt(4);
          packet[1] = (byte) random.nextInt(6);
          packet[4] = (byte) random.nextInt();
          packet[6] = (byte) random.nextInt(60);
          packet[8] = (byte) random.nextInt(20);
        }
        guest.loop.execute(() -> guest.link.send(packet, 0, packet.length));
      }
    }
    guest.connectionCount(); // everything before was sent
    assertThat(network.<Long>onLoop(() -> network.gateway().failures())).isZero();
    assertThat(network.<Integer>onLoop(() -> network.gateway().tcpFlows())).isLessThanOrEqualTo(10);
    for (Socket client : clients) {
      client.close();
    }
    guest.sendFrame(ip(Ipv4.ICMP, GUEST, UserGateway.GATEWAY, echo(8), 0));
    guest.keepFrames = true;
    assertThat(nextFrame(EtherType.IPV4)[23]).isNotNegative();
  }

  private static byte[] mutated(Random random) {
    byte[] b =
        switch (random.nextInt(5)) {
          case 0 -> ip(Ipv4.ICMP, GUEST, UserGateway.GATEWAY, echo(random.nextInt(100)), 0);
          case 1 -> dhcp(MAC + random.nextInt(3), random.nextInt(10), GUEST + random.nextInt(5));
          case 2 -> tcp(random);
          case 3 -> udp(random);
          default -> {
            byte[] part = new byte[8 * random.nextInt(20) + random.nextInt(2)];
            yield ip(random.nextInt(20), GUEST, UserGateway.GATEWAY, part, random.nextInt(0x4000));
          }
        };
    for (int i = random.nextInt(4); i > 0; i--) {
      b[random.nextInt(b.length)] = (byte) random.nextInt();
    }
    if (b.length >= 34 && random.nextBoolean()) {
      Bytes.put16(b, 24, 0);
      Bytes.put16(b, 24, InternetChecksum.of(b, 14, 20));
    }
    return random.nextInt(8) == 0 ? Arrays.copyOf(b, random.nextInt(b.length + 1)) : b;
  }

  private static byte[] tcp(Random random) {
    byte[] t = new byte[20 + 4 * random.nextInt(11) + random.nextInt(30)];
    random.nextBytes(t);
    Bytes.put16(t, 0, random.nextBoolean() ? 7 : random.nextInt(65_536));
    Bytes.put16(t, 2, random.nextBoolean() ? 20_000 + random.nextInt(12) : random.nextInt(65_536));
    t[12] = (byte) (random.nextInt(16) << 4);
    t[13] = (byte) random.nextInt(64);
    int to = random.nextInt(3) == 0 ? random.nextInt() : UserGateway.GATEWAY;
    Bytes.put16(t, 16, 0);
    long sum = InternetChecksum.pseudoHeader(GUEST, to, Ipv4.TCP, t.length);
    Bytes.put16(t, 16, InternetChecksum.finish(InternetChecksum.add(sum, t, 0, t.length)));
    return ip(Ipv4.TCP, GUEST, to, t, 0);
  }

  private static byte[] udp(Random random) {
    byte[] u = new byte[8 + random.nextInt(60)];
    random.nextBytes(u);
    Bytes.put16(u, 2, new int[] {53, 67, 7, random.nextInt(65_536)}[random.nextInt(4)]);
    Bytes.put16(u, 4, random.nextInt(4) == 0 ? random.nextInt(80) : u.length);
    Bytes.put16(u, 6, 0);
    int to =
        new int[] {UserGateway.GATEWAY, UserGateway.DNS, -1, random.nextInt()}[random.nextInt(4)];
    return ip(Ipv4.UDP, GUEST, to, u, 0);
  }
}
