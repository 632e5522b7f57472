package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What is taken from the packages' scripts and programs, which are read and not run. */
class ScriptReadingTest {
  private final FileTree tree = new FileTree(0);

  @Test
  void theAlternativeWithTheHighestPriorityWins() {
    tree.file("usr/bin/gawk", 0755, "g");
    tree.file("usr/bin/mawk", 0755, "m");
    var alternatives = new Alternatives();
    alternatives.readScript(
        """
        update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10 \\
          --slave /usr/bin/nawk nawk /usr/bin/gawk
        """,
        tree);
    alternatives.readScript(
        "update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5\n", tree);
    alternatives.apply(tree);
    assertThat(tree.at("usr/bin/awk").orElseThrow())
        .isInstanceOfSatisfying(
            FileTree.SymbolicLink.class,
            link -> assertThat(link.target()).isEqualTo("/usr/bin/gawk"));
    assertThat(tree.exists("usr/bin/nawk")).isTrue();
  }

  @Test
  void anAlternativeDoesNotReplaceAFileOrPointNowhere() {
    tree.file("usr/bin/vi", 0755, "real");
    tree.file("usr/bin/vim", 0755, "vim");
    var alternatives = new Alternatives();
    alternatives.readScript(
        """
        update-alternatives --install /usr/bin/vi vi /usr/bin/vim 30
        update-alternatives --install /usr/bin/ex ex /usr/bin/nonsuch 30
        """,
        tree);
    alternatives.apply(tree);
    assertThat(tree.at("usr/bin/vi").orElseThrow()).isInstanceOf(FileTree.Regular.class);
    assertThat(tree.exists("usr/bin/ex")).isFalse();
  }

  @Test
  void usersOfAdduserAreFoundThroughVariablesAndContinuedLines() {
    var accounts = new Accounts();
    accounts.readScript(
        """
        USER="redis"
        adduser \\
        \t--system \\
        \t--home /var/lib/redis \\
        \t--group \\
        \t${USER} || true
        """);
    assertThat(accounts.passwd())
        .contains("redis:x:100:100::/var/lib/redis:/usr/sbin/nologin\n")
        .startsWith("root:x:0:0:");
    assertThat(accounts.group()).contains("redis:x:100:\n");
    assertThat(accounts.shadow()).contains("redis:!:");
  }

  @Test
  void usersOfSysusersAreFound() {
    var accounts = new Accounts();
    accounts.readSysusers(
        """
        # comment
        u sshd - "sshd user" /run/sshd
        g input - -
        u! nobody 65534
        """);
    assertThat(accounts.passwd())
        .contains("sshd:x:100:100::/run/sshd:")
        .containsOnlyOnce("\nnobody:");
    assertThat(accounts.group()).contains("input:x:101:");
  }

  @Test
  void aScriptCannotAddRootOrAnythingThatIsNoName() {
    var accounts = new Accounts();
    accounts.readScript(
        """
        adduser --system root
        adduser --system $UNKNOWN
        useradd --system 'x:0:0'
        """);
    assertThat(accounts.passwd().lines()).hasSize(3);
  }

  @Test
  void theAppletsOfBusyBoxAreReadFromItsTable() throws ImageException {
    var names = new ArrayList<>(List.of("[", "[[", "ash", "cat", "modprobe", "sh"));
    for (int i = 0; i < 60; i++) {
      names.add("zapplet" + i);
    }
    String table = String.join("\0", names) + "\0\0";
    byte[] binary = ("ELF[\0[[\0no\0\0junk" + table + "more").getBytes(StandardCharsets.ISO_8859_1);
    assertThat(BusyBox.applets(binary)).isEqualTo(names);
  }

  @Test
  void aBinaryWithoutTheTableIsRefused() {
    assertThatThrownBy(() -> BusyBox.applets("[\0[[\0sh\0\0".getBytes(StandardCharsets.UTF_8)))
        .isInstanceOf(ImageException.class);
  }
}
