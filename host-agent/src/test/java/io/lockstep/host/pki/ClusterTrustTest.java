package io.lockstep.host.pki;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lockstep.ft.protocol.Message;
import io.lockstep.ft.transport.LinkListener;
import io.lockstep.ft.transport.PairTransport;
import io.lockstep.host.net.ClaimAnswer;
import io.lockstep.host.net.L2Switch;
import io.lockstep.host.net.SwitchAddress;
import io.lockstep.host.net.SwitchClient;
import io.lockstep.host.net.TlsFiles;
import io.lockstep.host.net.VirtualSwitch;
import io.lockstep.host.net.wire.Offload;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Hosts with issued certificates trust each other, and nobody else. */
@Timeout(60)
class ClusterTrustTest {
  @TempDir static Path dir;
  private static TlsFiles hostA;
  private static TlsFiles hostB;
  private static TlsFiles stranger;
  private static TlsFiles expired;

  @BeforeAll
  static void issue() throws IOException {
    ClusterAuthority ours = ClusterAuthority.create(dir.resolve("ours"), "ours");
    ClusterAuthority theirs = ClusterAuthority.create(dir.resolve("theirs"), "theirs");
    hostA = files(ours.issue("a", List.of(), Duration.ofDays(1)));
    hostB = files(ours.issue("b", List.of(), Duration.ofDays(1)));
    stranger = files(theirs.issue("c", List.of(), Duration.ofDays(1)));
    // Valid from an hour ago until a minute ago.
    expired = files(ours.issue("d", List.of(), Duration.ofMinutes(-1)));
  }

  private static TlsFiles files(ClusterAuthority.HostFiles host) {
    return new TlsFiles(host.certificate(), host.key(), host.authority());
  }

  /** One end of a pair's connection, which remembers what it was told. */
  private static final class End implements LinkListener, AutoCloseable {
    final CompletableFuture<Long> connected = new CompletableFuture<>();
    final CompletableFuture<Message> received = new CompletableFuture<>();
    final CompletableFuture<String> untrusted = new CompletableFuture<>();
    final PairTransport transport;

    End(Optional<SSLContext> tls) {
      transport = new PairTransport(this, tls);
    }

    @Override
    public void connected(long conn) {
      connected.complete(conn);
    }

    @Override
    public void connectFailed(boolean refused) {
      connected.completeExceptionally(new IOException("refused: " + refused));
    }

    @Override
    public void untrusted(String sentence) {
      untrusted.complete(sentence);
    }

    @Override
    public void received(long conn, Message message) {
      received.complete(message);
    }

    @Override
    public void down(long conn) {}

    @Override
    public void close() {
      transport.close();
    }
  }

  private static InetSocketAddress anyPort() {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
  }

  @Test
  void twoReplicasOfOneClusterTalk() throws Exception {
    try (End a = new End(Optional.of(hostA.load()));
        End b = new End(Optional.of(hostB.load()))) {
      b.transport.connect(a.transport.listen(anyPort()));
      Message said = new Message.Refused("no");
      b.transport.send(b.connected.get(), said);

      assertThat(a.received.get()).isEqualTo(said);
    }
  }

  @Test
  void aReplicaOfAnotherClusterIsRefusedWithASentenceOnBothSides() throws Exception {
    try (End a = new End(Optional.of(hostA.load()));
        End b = new End(Optional.of(stranger.load()))) {
      b.transport.connect(a.transport.listen(anyPort()));

      assertThat(b.untrusted.get()).contains("belongs to another cluster").contains("pki issue");
      assertThat(a.untrusted.get()).contains("refuses this host's certificate");
      assertThat(b.connected).isCompletedExceptionally();
      assertThat(a.received).isNotDone();
    }
  }

  /** The authority is ours, so it trusts us; but its certificate is of another cluster. */
  @Test
  void aCertificateOfAnotherClusterIsRefusedAlsoWhenItsOwnerTrustsUs() throws Exception {
    TlsFiles oneSided = new TlsFiles(stranger.certificate(), stranger.key(), hostA.authority());
    try (End a = new End(Optional.of(hostA.load()));
        End b = new End(Optional.of(oneSided.load()))) {
      b.transport.connect(a.transport.listen(anyPort()));

      assertThat(a.untrusted.get()).contains("has no certificate of this cluster");
      assertThat(b.untrusted.get()).contains("refuses this host's certificate");
      assertThat(a.received).isNotDone();
    }
  }

  @Test
  void anExpiredCertificateIsCalledThat() throws Exception {
    try (End a = new End(Optional.of(hostA.load()));
        End b = new End(Optional.of(expired.load()))) {
      a.transport.connect(b.transport.listen(anyPort()));

      assertThat(a.untrusted.get()).contains("has expired").contains("pki issue");
    }
  }

  @Test
  void aReplicaWithoutCertificatesDoesNotReachOneThatHasThem() throws Exception {
    try (End a = new End(Optional.of(hostA.load()));
        End b = new End(Optional.empty())) {
      b.transport.connect(a.transport.listen(anyPort()));
      b.transport.send(b.connected.get(), new Message.Refused("hello"));

      assertThat(a.untrusted.get()).contains("does not speak TLS");
      assertThat(a.received).isNotDone();
    }
  }

  @Test
  void withoutCertificatesAReplicaStaysOnLoopback() {
    InetSocketAddress elsewhere = new InetSocketAddress("192.0.2.1", 7100);
    InetSocketAddress everywhere = new InetSocketAddress("0.0.0.0", 0);
    try (End a = new End(Optional.empty())) {
      assertThatThrownBy(() -> a.transport.connect(elsewhere))
          .hasMessageContaining("is not a loopback address");
      assertThatThrownBy(() -> a.transport.listen(everywhere))
          .hasMessageContaining("is not a loopback address");
    }
  }

  private static VirtualSwitch startSwitch() throws IOException {
    return VirtualSwitch.start(
        new VirtualSwitch.Config(
            List.of(SwitchAddress.parse("127.0.0.1:0")),
            Optional.of(hostA),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            L2Switch.Limits.DEFAULT));
  }

  private static final class Port implements SwitchClient.Listener {
    final CompletableFuture<ClaimAnswer> answered = new CompletableFuture<>();
    final CompletableFuture<String> disconnected = new CompletableFuture<>();

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
  }

  private static SwitchClient plug(SwitchAddress at, Optional<SSLContext> tls, Port port) {
    return SwitchClient.primary(
        new SwitchClient.Config(at, tls, new UUID(1, 1), 0x5254_0000_0001L, Offload.ALL), 1, port);
  }

  @Test
  void aMachineOfTheClusterGetsItsPortAtTheSwitch() throws Exception {
    Port port = new Port();
    try (VirtualSwitch network = startSwitch();
        SwitchClient _ = plug(network.addresses().get(0), Optional.of(hostB.load()), port)) {
      assertThat(port.answered.get()).isEqualTo(ClaimAnswer.OWNER);
    }
  }

  @Test
  void aMachineOfAnotherClusterGetsASentenceInsteadOfAPort() throws Exception {
    TlsFiles oneSided = new TlsFiles(stranger.certificate(), stranger.key(), hostA.authority());
    for (TlsFiles files : List.of(stranger, oneSided)) {
      Port port = new Port();
      try (VirtualSwitch network = startSwitch();
          SwitchClient _ = plug(network.addresses().get(0), Optional.of(files.load()), port)) {
        assertThat(port.disconnected.get())
            .containsAnyOf("belongs to another cluster", "refuses this host's certificate");
        assertThat(port.answered).isNotDone();
        assertThat(network.statusJson()).doesNotContain("owner");
      }
    }
  }

  @Test
  void withoutCertificatesNobodyConnectsToASwitchBeyondLoopback() throws Exception {
    SwitchAddress elsewhere = SwitchAddress.parse("192.0.2.1:7700");
    assertThatThrownBy(() -> SwitchClient.status(elsewhere, Optional.empty()))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("is on another host");
    assertThatThrownBy(() -> elsewhere.resolveFor(Optional.empty()))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("lockstep pki");
    assertThat(elsewhere.resolveFor(Optional.of(hostA.load()))).isNotNull();
    assertThat(SwitchAddress.parse("127.0.0.1:1").resolveFor(Optional.empty())).isNotNull();
  }
}
