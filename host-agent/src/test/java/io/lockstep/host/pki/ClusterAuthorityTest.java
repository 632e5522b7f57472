package io.lockstep.host.pki;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ClusterAuthorityTest {
  private static final Duration YEAR = Duration.ofDays(365);

  @TempDir Path scratch;

  @Test
  void everyFileAndTheDirectoryAreTheOwnersAlone() throws Exception {
    Path dir = scratch.resolve("a/pki");
    ClusterAuthority.create(dir, "prod").issue("host-a", List.of(), YEAR);

    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(dir)))
        .isEqualTo("rwx------");
    try (Stream<Path> files = Files.list(dir)) {
      assertThat(files)
          .extracting(file -> file.getFileName().toString())
          .containsExactlyInAnyOrder("ca.crt", "ca.key", "host-a.crt", "host-a.key");
    }
    for (String name : List.of("ca.crt", "ca.key", "host-a.crt", "host-a.key")) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(dir.resolve(name))))
          .isEqualTo("rw-------");
    }
  }

  @Test
  void aHostsCertificateNamesClusterAndHostAndLeadsToTheAuthority() throws Exception {
    ClusterAuthority.create(scratch, "prod");
    ClusterAuthority authority = ClusterAuthority.open(scratch);
    ClusterAuthority.HostFiles files =
        authority.issue("host-a.example", List.of("192.0.2.7", "2001:db8::7"), YEAR);

    X509Certificate ca = PemFiles.certificates(files.authority()).getFirst();
    X509Certificate host = PemFiles.certificates(files.certificate()).getFirst();
    host.verify(ca.getPublicKey());
    host.checkValidity();
    assertThat(authority.cluster()).isEqualTo("prod");
    assertThat(host.getSubjectX500Principal().getName()).isEqualTo("CN=host-a.example,O=prod");
    assertThat(host.getIssuerX500Principal()).isEqualTo(ca.getSubjectX500Principal());
    assertThat(host.getBasicConstraints()).isEqualTo(-1);
    assertThat(ca.getBasicConstraints()).isZero();
    assertThat(host.getExtendedKeyUsage())
        .containsExactly("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2");
    assertThat(host.getSubjectAlternativeNames())
        .extracting(name -> name.get(1).toString())
        .containsExactly("host-a.example", "192.0.2.7", "2001:db8:0:0:0:0:0:7");
    assertThat(host.getNotAfter().toInstant()).isEqualTo(files.until().truncatedTo(SECONDS));
  }

  private static final java.time.temporal.ChronoUnit SECONDS =
      java.time.temporal.ChronoUnit.SECONDS;

  @Test
  void aHostsCertificateDoesNotOutliveTheAuthority() throws Exception {
    ClusterAuthority authority = ClusterAuthority.create(scratch, "prod");
    ClusterAuthority.HostFiles files = authority.issue("a", List.of(), Duration.ofDays(36_500));

    X509Certificate ca = PemFiles.certificates(files.authority()).getFirst();
    X509Certificate host = PemFiles.certificates(files.certificate()).getFirst();
    assertThat(host.getNotAfter()).isEqualTo(ca.getNotAfter());
  }

  @Test
  void nothingIsOverwritten() throws Exception {
    ClusterAuthority authority = ClusterAuthority.create(scratch, "prod");
    authority.issue("a", List.of(), YEAR);
    byte[] key = Files.readAllBytes(scratch.resolve("a.key"));
    byte[] caKey = Files.readAllBytes(scratch.resolve("ca.key"));

    assertThatThrownBy(() -> ClusterAuthority.create(scratch, "other"))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("exists already and is not overwritten");
    assertThatThrownBy(() -> authority.issue("a", List.of(), YEAR))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("exists already and is not overwritten");
    assertThatThrownBy(() -> authority.issue("ca", List.of(), YEAR))
        .hasMessageContaining("exists already and is not overwritten");
    assertThat(scratch.resolve("a.key")).hasBinaryContent(key);
    assertThat(scratch.resolve("ca.key")).hasBinaryContent(caKey);
  }

  @Test
  void aCertificateThatIsThereKeepsANewKeyFromStayingBehind() throws Exception {
    ClusterAuthority authority = ClusterAuthority.create(scratch, "prod");
    Files.createSymbolicLink(scratch.resolve("a.crt"), scratch.resolve("nowhere"));

    assertThatThrownBy(() -> authority.issue("a", List.of(), YEAR))
        .hasMessageContaining("exists already");
    assertThat(scratch.resolve("a.key")).doesNotExist();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "../a", "a/b", "-a", "a b", ".a", "a\nb", "ä"})
  void aNameThatCouldBeAnotherFileIsRefused(String name) throws Exception {
    ClusterAuthority authority = ClusterAuthority.create(scratch, "prod");

    assertThatThrownBy(() -> authority.issue(name, List.of(), YEAR))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("is no name for a host");
  }

  @ParameterizedTest
  @ValueSource(strings = {"999.1.1.1", "a b", ":::", "http://x"})
  void anAddressThatIsNoneIsRefused(String address) throws Exception {
    ClusterAuthority authority = ClusterAuthority.create(scratch, "prod");

    assertThatThrownBy(() -> authority.issue("a", List.of(address), YEAR))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(address);
    assertThat(scratch.resolve("a.key")).doesNotExist();
  }

  @Test
  void withoutAnAuthorityTheMessageSaysHowToMakeOne() {
    assertThatThrownBy(() -> ClusterAuthority.open(scratch))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("lockstep pki init");
  }
}
