package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class DebianMirrorTest {
  private static final String KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

  private static AptSource source(String uri, String suite, String component, String signedBy) {
    return new AptSource(List.of(uri), List.of(suite), List.of(component), signedBy);
  }

  private static List<String> suites(DebianMirror mirror) {
    return mirror.sources().stream().map(source -> source.suites().getFirst()).toList();
  }

  @Test
  void theHostsMirrorIsAskedForTheGuestsSuiteWithUpdatesAndSecurity() throws ImageException {
    var archive =
        new AptSource(
            List.of("http://m.example/debian"),
            List.of("bookworm", "bookworm-updates"),
            List.of("main"),
            KEYRING);
    DebianMirror mirror =
        DebianMirror.ofHost(
            List.of(
                archive,
                source("http://m.example/debian-security", "bookworm-security", "main", KEYRING)),
            "trixie");
    assertThat(suites(mirror)).containsExactly("trixie", "trixie-updates", "trixie-security");
    assertThat(mirror.address()).isEqualTo("http://m.example/debian");
    assertThat(suites(mirror.archiveOnly())).containsExactly("trixie");
  }

  @Test
  void othersWithDebiansSuiteNamesAreNotTakenForDebian() throws ImageException {
    DebianMirror mirror =
        DebianMirror.ofHost(
            List.of(
                source("https://browser.example/linux/deb", "stable", "main", ""),
                source("https://tool.example/debian", "bookworm", "main", "/keys/tool.gpg"),
                source("http://m.example/debian", "bookworm", "main", KEYRING)),
            "trixie");
    assertThat(mirror.sources()).hasSize(1);
    assertThat(mirror.address()).isEqualTo("http://m.example/debian");
  }

  @Test
  void withoutKeyNamesTheArchivesPathTells() throws ImageException {
    DebianMirror mirror =
        DebianMirror.ofHost(
            List.of(
                source("https://browser.example/linux/deb", "stable", "main", ""),
                source("http://m.example/debian/", "bookworm", "main", "")),
            "trixie");
    assertThat(mirror.sources())
        .containsExactly(source("http://m.example/debian/", "trixie", "main", KEYRING));
  }

  @Test
  void unstableHasNeitherUpdatesNorSecurity() throws ImageException {
    var archive =
        new AptSource(
            List.of("http://m.example/debian"),
            List.of("bookworm", "bookworm-updates"),
            List.of("main"),
            KEYRING);
    assertThat(suites(DebianMirror.ofHost(List.of(archive), "sid"))).containsExactly("sid");
  }

  @Test
  void aHostWithoutDebianIsToldToNameAMirror() {
    assertThatThrownBy(
            () ->
                DebianMirror.ofHost(
                    List.of(source("http://u.example/ubuntu", "noble", "main", "")), "trixie"))
        .isInstanceOf(ImageException.class)
        .hasMessageContaining("--mirror");
  }

  @Test
  void theTextForAptNamesArchitectureAndKeyRing() {
    assertThat(DebianMirror.named("http://m.example/debian", "trixie").deb822("riscv64"))
        .contains("URIs: http://m.example/debian\n")
        .contains("Architectures: riscv64\n")
        .contains("Signed-By: " + KEYRING + "\n");
  }
}
