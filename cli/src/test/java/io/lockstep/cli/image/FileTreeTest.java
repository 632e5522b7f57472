package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class FileTreeTest {
  private final FileTree tree = new FileTree(0);

  @Test
  void aPathThroughALinkedDirectoryLandsInTheDirectory() {
    tree.directory("usr/bin", 0755);
    tree.link("bin", "usr/bin");
    tree.file("bin/sh", 0755, "shell");
    assertThat(tree.nodes()).containsKey("usr/bin/sh").doesNotContainKey("bin/sh");
    assertThat(tree.file("/bin/sh")).isPresent();
  }

  @Test
  void aDirectoryDoesNotReplaceTheLinkToOne() {
    tree.directory("usr/lib", 0755);
    tree.link("lib", "usr/lib");
    tree.directory("lib", 0755);
    assertThat(tree.at("lib")).containsInstanceOf(FileTree.SymbolicLink.class);
  }

  @Test
  void dotsCannotLeadOutOfTheTree() {
    tree.file("../../etc/./passwd", 0644, "x");
    assertThat(tree.nodes()).containsKey("etc/passwd");
  }

  @Test
  void linksThatGoRoundAreNotFollowedForever() {
    tree.link("a", "b");
    tree.link("b", "a");
    assertThat(tree.file("a/x")).isEmpty();
    assertThat(tree.exists("a")).isTrue();
  }

  @Test
  void anAbsoluteLinkStartsAtTheRootOfTheTree() {
    tree.file("run/x", 0644, "x");
    tree.link("var/run", "/run");
    assertThat(tree.exists("var/run/x")).isTrue();
    assertThat(tree.exists("var/run/y")).isFalse();
  }

  @Test
  void aFileInPlaceOfADirectoryTakesItsContentsAway() {
    tree.file("a/b", 0644, "x");
    tree.file("a", 0644, "y");
    assertThat(tree.nodes().keySet()).containsExactly("", "a");
  }
}
