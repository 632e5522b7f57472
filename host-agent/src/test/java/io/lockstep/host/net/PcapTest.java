package io.lockstep.host.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.lockstep.host.net.gateway.Forward;
import io.lockstep.host.net.gateway.GatewayConfig;
import io.lockstep.host.net.gateway.Outbound;
import io.lockstep.host.net.gateway.UserGateway;
import io.lockstep.host.net.wire.Mac;
import io.lockstep.host.net.wire.Offload;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class PcapTest {
  @TempDir Path dir;

  private Path capture() throws Exception {
    Path file = dir.resolve("capture.pcap");
    GatewayConfig gateway =
        GatewayConfig.of(Outbound.NONE, List.of(Forward.parse("tcp:0:10.0.2.15:7")));
    try (VirtualSwitch network =
            VirtualSwitch.start(VirtualSwitch.Config.inProcess(gateway, Optional.of(file)));
        GuestStack guest =
            new GuestStack("guest", 0x5254_0000_0001L, UserGateway.FIRST_GUEST, 0, true, 1)) {
      guest.link = network.connect("guest", Offload.ALL, guest);
      guest.servers.put(7, port -> new GuestStack.Echo());
      guest.loop.execute(() -> guest.sendArp(1, Mac.BROADCAST, UserGateway.GATEWAY));
      guest.sendUdp(
          UserGateway.DNS,
          5555,
          53,
          new byte[] {1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1});
      try (Socket socket =
          new Socket(InetAddress.getLoopbackAddress(), network.forwards().get(0).hostPort())) {
        byte[] sent = new byte[100_000];
        socket.getOutputStream().write(sent);
        assertThat(socket.getInputStream().readNBytes(sent.length)).isEqualTo(sent);
        socket.shutdownOutput();
        assertThat(socket.getInputStream().read()).isEqualTo(-1);
      }
    }
    return file;
  }

  @Test
  void theFileHoldsWholeRecordsWithNanosecondTimes() throws Exception {
    ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(capture())).order(ByteOrder.LITTLE_ENDIAN);
    assertThat(file.getInt()).isEqualTo(0xa1b2_3c4d);
    file.position(24);
    int records = 0;
    long bytes = 0;
    while (file.hasRemaining()) {
      file.getInt();
      assertThat(file.getInt()).isBetween(0, 999_999_999);
      int length = file.getInt();
      assertThat(file.getInt()).isEqualTo(length);
      bytes += length;
      file.position(file.position() + length);
      records++;
    }
    assertThat(records).isGreaterThan(8);
    assertThat(bytes).isGreaterThan(200_000);
  }

  @Test
  void tsharkReadsItWithoutComplaint() throws Exception {
    assumeTrue(hasTshark(), "tshark is not installed; install the Debian package tshark");
    Path file = capture();
    String all = tshark(file, "tcp or udp or arp");
    assertThat(all).contains("ARP").contains("DNS").contains("TCP");
    assertThat(
            tshark(
                file,
                "_ws.malformed or tcp.checksum.status == \"Bad\" or udp.checksum.status == \"Bad\""
                    + " or ip.checksum.status == \"Bad\""))
        .isEmpty();
  }

  private static boolean hasTshark() {
    try {
      return new ProcessBuilder("tshark", "--version").redirectErrorStream(true).start().waitFor()
          >= 0;
    } catch (IOException | InterruptedException e) {
      return false;
    }
  }

  private static String tshark(Path file, String filter) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                "tshark",
                "-r",
                file.toString(),
                "-o",
                "tcp.check_checksum:TRUE",
                "-o",
                "udp.check_checksum:TRUE",
                "-o",
                "ip.check_checksum:TRUE",
                "-Y",
                filter)
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).isZero();
    return output;
  }
}
