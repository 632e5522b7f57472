package io.lockstep.host.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lockstep.host.net.gateway.Forward;
import io.lockstep.host.net.gateway.GatewayConfig;
import io.lockstep.host.net.gateway.Outbound;
import io.lockstep.host.net.gateway.UserGateway;
import io.lockstep.host.net.wire.Offload;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Ports with certificates. Loopback addresses may use TLS too, which is what is used here. */
@Timeout(60)
class TlsPortTest {
  @TempDir static Path dir;
  private static TlsFiles switchFiles;
  private static TlsFiles vmFiles;
  private static TlsFiles strangerFiles;

  @BeforeAll
  static void makeCertificates() throws Exception {
    TestCertificates.Pair network = TestCertificates.make(dir, "switch");
    TestCertificates.Pair vm = TestCertificates.make(dir, "vm");
    TestCertificates.Pair stranger = TestCertificates.make(dir, "stranger");
    Path authority = TestCertificates.authority(dir.resolve("ca.pem"), network, vm);
    switchFiles = new TlsFiles(network.certificate(), network.key(), authority);
    vmFiles = new TlsFiles(vm.certificate(), vm.key(), authority);
    strangerFiles = new TlsFiles(stranger.certificate(), stranger.key(), authority);
  }

  private static VirtualSwitch start() throws IOException {
    return VirtualSwitch.start(
        new VirtualSwitch.Config(
            List.of(SwitchAddress.parse("127.0.0.1:0")),
            Optional.of(switchFiles),
            Optional.of(
                GatewayConfig.of(Outbound.NONE, List.of(Forward.parse("tcp:0:10.0.2.15:7")))),
            Optional.empty(),
            Optional.empty(),
            L2Switch.Limits.DEFAULT));
  }

  private static SwitchClient.Config config(VirtualSwitch network, Optional<SSLContext> tls) {
    return new SwitchClient.Config(
        network.addresses().get(0), tls, new UUID(1, 1), 0x5254_0000_0001L, Offload.ALL);
  }

  @Test
  void trafficFlowsThroughAPortWithCertificatesOnBothSides() throws Exception {
    try (VirtualSwitch network = start();
        GuestStack guest =
            new GuestStack("guest", 0x5254_0000_0001L, UserGateway.FIRST_GUEST, 0, true, 1)) {
      guest.servers.put(7, port -> new GuestStack.Echo());
      guest.link = SwitchClient.primary(config(network, Optional.of(vmFiles.load())), 1, guest);
      byte[] sent = new byte[300_000];
      for (int i = 0; i < sent.length; i++) {
        sent[i] = GuestStack.pattern(i);
      }
      try (Socket socket =
          new Socket(InetAddress.getLoopbackAddress(), network.forwards().get(0).hostPort())) {
        Thread writer =
            Thread.ofVirtual()
                .start(
                    () -> {
                      try {
                        socket.getOutputStream().write(sent);
                        socket.shutdownOutput();
                      } catch (IOException e) {
                        throw new java.io.UncheckedIOException(e);
                      }
                    });
        assertThat(socket.getInputStream().readAllBytes()).isEqualTo(sent);
        writer.join();
      }
      assertThat(SwitchClient.status(network.addresses().get(0), Optional.of(vmFiles.load())))
          .contains("\"role\":\"owner\"");
    }
  }

  @Test
  void aStrangersCertificateIsRefused() throws Exception {
    CompletableFuture<String> disconnected = new CompletableFuture<>();
    CompletableFuture<ClaimAnswer> answered = new CompletableFuture<>();
    SwitchClient.Listener listener =
        new SwitchClient.Listener() {
          @Override
          public void packet(byte[] data, int offset, int length) {}

          @Override
          public void answered(ClaimAnswer answer) {
            answered.complete(answer);
          }

          @Override
          public void disconnected(String reason) {
            disconnected.complete(reason);
          }
        };
    try (VirtualSwitch network = start();
        SwitchClient client =
            SwitchClient.primary(config(network, Optional.of(strangerFiles.load())), 1, listener)) {
      assertThat(disconnected.get()).isNotEmpty();
      assertThat(answered).isNotDone();
      assertThat(network.statusJson()).doesNotContain("owner");
      assertThat(client.isUp()).isFalse();
    }
  }

  @Test
  void unusableFilesAreSaidPlainly() throws Exception {
    Path noKey = Files.writeString(dir.resolve("nokey"), "nothing");
    assertThatThrownBy(
            () -> new TlsFiles(switchFiles.certificate(), noKey, switchFiles.authority()).load())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("holds no private key");
    assertThatThrownBy(() -> new TlsFiles(dir.resolve("none"), noKey, noKey).load())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("there is no file");
    assertThatThrownBy(() -> new TlsFiles(noKey, switchFiles.key(), noKey).load())
        .isInstanceOf(IOException.class);
  }
}
