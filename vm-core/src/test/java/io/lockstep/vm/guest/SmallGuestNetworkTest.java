package io.lockstep.vm.guest;

import static io.lockstep.vm.guest.Frames.ETHERNET;
import static io.lockstep.vm.guest.Frames.GUEST_IP;
import static io.lockstep.vm.guest.Frames.GUEST_MAC;
import static io.lockstep.vm.guest.Frames.ICMP_PROTOCOL;
import static io.lockstep.vm.guest.Frames.IP;
import static io.lockstep.vm.guest.Frames.OWN_IP;
import static io.lockstep.vm.guest.Frames.OWN_MAC;
import static io.lockstep.vm.guest.Frames.OWN_PORT;
import static io.lockstep.vm.guest.Frames.TCP_PROTOCOL;
import static io.lockstep.vm.guest.Frames.UDP_PROTOCOL;
import static io.lockstep.vm.guest.Frames.checked;
import static io.lockstep.vm.guest.Frames.ethernet;
import static io.lockstep.vm.guest.Frames.ip;
import static io.lockstep.vm.guest.Frames.isIp;
import static io.lockstep.vm.guest.Frames.payload;
import static io.lockstep.vm.guest.Frames.sum;
import static io.lockstep.vm.guest.Frames.type;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The small guest's network stack, frame by frame: what a well-behaved host would never do. */
class SmallGuestNetworkTest {
  private static final int TIMEOUT_MS = 20_000;
  private static final int FIN = 1;
  private static final int SYN = 2;
  private static final int RST = 4;
  private static final int ACK = 16;

  @TempDir private Path directory;
  private QemuSmallGuest guest;
  private ServerSocket listener;
  private Socket wire;
  private DataInputStream in;
  private DataOutputStream out;

  private int nextSeq = 1000;
  private int acked;
  private int window = 60_000;

  @BeforeEach
  void boot() throws IOException {
    QemuSmallGuest.assumeInstalled();
    listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    listener.setSoTimeout(TIMEOUT_MS);
    guest = QemuSmallGuest.withWire(directory, listener, "beat_ms=0 rto_min_ms=100");
    wire = listener.accept();
    wire.setSoTimeout(TIMEOUT_MS);
    wire.setTcpNoDelay(true);
    in = new DataInputStream(wire.getInputStream());
    out = new DataOutputStream(wire.getOutputStream());
    byte[] announcement = receive(frame -> type(frame) == 0x0806);
    assertThat(ByteBuffer.wrap(announcement).getInt(ETHERNET + 24)).isEqualTo(GUEST_IP);
  }

  @AfterEach
  void end() throws IOException {
    if (guest != null) {
      guest.close();
      wire.close();
    }
    if (listener != null) {
      listener.close();
    }
  }

  @Test
  void itAnswersArpAndPing() throws IOException {
    ByteBuffer arp = ByteBuffer.allocate(28);
    arp.putShort((short) 1).putShort((short) 0x0800).put((byte) 6).put((byte) 4);
    arp.putShort((short) 1).put(OWN_MAC).putInt(OWN_IP).put(new byte[6]).putInt(GUEST_IP);
    send(ethernet(0x0806, arp.array()));
    byte[] reply = receive(frame -> type(frame) == 0x0806 && frame[ETHERNET + 7] == 2);
    assertThat(Arrays.copyOfRange(reply, ETHERNET + 8, ETHERNET + 14)).isEqualTo(GUEST_MAC);

    byte[] echo = ByteBuffer.allocate(1001).put((byte) 8).put(500, (byte) 77).array();
    ByteBuffer.wrap(echo).putShort(2, (short) ~sum(0, echo));
    send(ip(ICMP_PROTOCOL, echo));
    byte[] pong = receive(frame -> isIp(frame, ICMP_PROTOCOL));
    assertThat(pong[ETHERNET + IP]).isZero();
    assertThat(pong[ETHERNET + IP + 500]).isEqualTo((byte) 77);
    assertThat(sum(0, payload(pong))).isEqualTo(0xffff);
  }

  @Test
  void nonsenseIsDropped() throws IOException {
    long seed = Long.getLong("lockstep.test.seed", 20_260_101L);
    System.out.println("nonsenseIsDropped: -Dlockstep.test.seed=" + seed);
    Random random = new Random(seed);
    for (int i = 0; i < 20_000; i++) {
      send(nonsense(random));
      if (i % 64 == 0) {
        assertThat(askUdp("#n" + i + " PING")).startsWith("#n" + i + " OK ");
      }
    }
    assertThat(askUdp("STAT")).doesNotContain(" bad=0 ");
  }

  @Test
  void segmentsMayBeLostDoubledAndOutOfOrder() throws IOException {
    connect();
    // The second half first: it is dropped, and the acknowledgement asks for the first.
    sendTcp(ACK, nextSeq + 5, "a 5\n");
    assertThat(ack(receiveTcp())).isEqualTo(nextSeq);
    sendTcp(ACK, nextSeq, "SET a");
    sendTcp(ACK, nextSeq, "SET a");
    sendTcp(ACK, nextSeq + 3, " a 5\nGET a\n");
    nextSeq += "SET a 5\nGET a\n".length();
    assertThat(awaitText("OK 1 5\nOK 1 5\n")).isEqualTo(acked);
    assertThat(answerLost()).isEqualTo("OK 1 5\nOK 1 5\n");
    acked += "OK 1 5\nOK 1 5\n".length();
    sendTcp(ACK, nextSeq, "");
    sendTcp(ACK | FIN, nextSeq++, "");
    byte[] fin = receive(frame -> isIp(frame, TCP_PROTOCOL) && (flags(frame) & FIN) != 0);
    assertThat(ack(fin)).isEqualTo(nextSeq);
    acked = seq(fin) + 1;
    sendTcp(ACK, nextSeq, "");
    assertThat(askUdp("STAT")).contains(" connections=0 ");
    // A connection that isn't known any more is reset.
    sendTcp(ACK, nextSeq, "PING\n");
    assertThat(flags(receiveTcp())).isEqualTo(RST);
  }

  @Test
  void aClosedWindowIsProbedUntilItOpens() throws IOException {
    connect();
    window = 0;
    sendTcp(ACK, nextSeq, "SET a 5\n");
    nextSeq += 8;
    byte[] probe = receive(frame -> isIp(frame, TCP_PROTOCOL) && text(frame).length() == 1);
    assertThat(text(probe)).isEqualTo("O");
    sendTcp(ACK, nextSeq, "");
    window = 60_000;
    sendTcp(ACK, nextSeq, "");
    assertThat(awaitText("OK 1 5\n")).isEqualTo(acked);
  }

  @Test
  void onlyAResetAtTheExactNumberEndsAConnection() throws IOException {
    connect();
    sendTcp(RST, nextSeq + 7, "");
    assertThat(ack(receiveTcp())).isEqualTo(nextSeq);
    sendTcp(SYN, nextSeq + 7, "");
    assertThat(ack(receiveTcp())).isEqualTo(nextSeq);
    assertThat(askUdp("STAT")).contains(" connections=1 ");
    sendTcp(RST, nextSeq, "");
    assertThat(askUdp("STAT")).contains(" connections=0 ");
  }

  @Test
  void aFullTableKeepsTheConnectionsItHas() throws IOException {
    connect();
    for (int port = 1; port < 500; port++) {
      send(ip(TCP_PROTOCOL, tcp(port, SYN, 5, 0, "")));
    }
    assertThat(askUdp("STAT")).contains(" connections=64 ");
    sendTcp(ACK, nextSeq, "SET a 5\n");
    nextSeq += 8;
    assertThat(awaitText("OK 1 5\n")).isEqualTo(acked);
  }

  // ---- TCP as a client that can be told to behave badly ----

  private void connect() throws IOException {
    sendTcp(SYN, nextSeq++, "");
    byte[] answer = receiveTcp();
    assertThat(flags(answer)).isEqualTo(SYN | ACK);
    assertThat(ack(answer)).isEqualTo(nextSeq);
    acked = seq(answer) + 1;
    sendTcp(ACK, nextSeq, "");
  }

  /** Waits for a segment with just this text, and returns its sequence number. */
  private int awaitText(String text) throws IOException {
    return seq(receive(frame -> isIp(frame, TCP_PROTOCOL) && text(frame).equals(text)));
  }

  /** Pretends that an answer was lost; returns what is sent again. */
  private String answerLost() throws IOException {
    return text(receive(frame -> isIp(frame, TCP_PROTOCOL) && !text(frame).isEmpty()));
  }

  private void sendTcp(int flags, int seq, String text) throws IOException {
    send(ip(TCP_PROTOCOL, tcp(OWN_PORT, flags, seq, acked, text)));
  }

  private byte[] tcp(int port, int flags, int seq, int ack, String text) {
    byte[] data = text.getBytes(StandardCharsets.US_ASCII);
    ByteBuffer tcp = ByteBuffer.allocate(20 + data.length);
    tcp.putShort((short) port).putShort((short) SmallGuest.PORT).putInt(seq).putInt(ack);
    tcp.put((byte) 0x50).put((byte) flags).putShort((short) window).putInt(0).put(data);
    return checked(tcp.array(), TCP_PROTOCOL, 16);
  }

  private byte[] receiveTcp() throws IOException {
    return receive(frame -> isIp(frame, TCP_PROTOCOL));
  }

  private static int seq(byte[] frame) {
    return ByteBuffer.wrap(frame).getInt(ETHERNET + IP + 4);
  }

  private static int ack(byte[] frame) {
    return ByteBuffer.wrap(frame).getInt(ETHERNET + IP + 8);
  }

  private static int flags(byte[] frame) {
    return frame[ETHERNET + IP + 13] & (FIN | SYN | RST | ACK);
  }

  private static String text(byte[] frame) {
    byte[] payload = payload(frame);
    int header = (payload[12] >> 4 & 15) * 4;
    return new String(payload, header, payload.length - header, StandardCharsets.US_ASCII);
  }

  // ---- frames ----

  private String askUdp(String text) throws IOException {
    send(Frames.udp(text));
    return Frames.udpText(receive(frame -> isIp(frame, UDP_PROTOCOL)));
  }

  /** A frame of noise, or a good one with noise in it; every length. */
  private static byte[] nonsense(Random random) {
    byte[] noise = new byte[random.nextInt(1480)];
    random.nextBytes(noise);
    byte[] frame =
        switch (random.nextInt(6)) {
          case 0 -> ethernet(random.nextInt(65536), noise);
          case 1 -> ethernet(0x0800, noise);
          case 2 -> ethernet(0x0806, noise);
          case 3 -> ip(ICMP_PROTOCOL, noise);
          case 4 -> ip(UDP_PROTOCOL, toService(noise, UDP_PROTOCOL, 6));
          default -> ip(TCP_PROTOCOL, toService(noise, TCP_PROTOCOL, 16));
        };
    if (random.nextInt(3) == 0) {
      frame[ETHERNET + random.nextInt(frame.length - ETHERNET + 1) - 1] = (byte) random.nextInt();
    }
    return random.nextInt(4) == 0 ? Arrays.copyOf(frame, 14 + random.nextInt(60)) : frame;
  }

  private static byte[] toService(byte[] noise, int protocol, int checksumAt) {
    if (noise.length < 20) {
      return noise;
    }
    // Replies would be mistaken for the ones that the test waits for, so nothing is to be served.
    ByteBuffer.wrap(noise).putShort(0, (short) 1).putShort(2, (short) (protocol == 6 ? 7000 : 9));
    return checked(noise, protocol, checksumAt);
  }

  private void send(byte[] frame) throws IOException {
    out.write(ByteBuffer.allocate(4 + frame.length).putInt(frame.length).put(frame).array());
  }

  /** Skips what isn't wanted. */
  private byte[] receive(Predicate<byte[]> wanted) throws IOException {
    while (true) {
      byte[] frame = new byte[in.readInt()];
      in.readFully(frame);
      if (wanted.test(frame)) {
        return frame;
      }
    }
  }
}
