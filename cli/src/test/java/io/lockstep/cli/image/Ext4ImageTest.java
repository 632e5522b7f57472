package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class Ext4ImageTest {
  private static final long SIZE = 96L << 20;

  @TempDir private Path directory;

  @BeforeEach
  void needsTheTools() {
    assumeTrue(
        HostCommand.find("mke2fs").isPresent() && HostCommand.find("debugfs").isPresent(),
        "install the Debian package e2fsprogs to test disk images");
  }

  private Path image() {
    return directory.resolve("disk.img");
  }

  private String debugfs(String command) throws Exception {
    return new HostCommand("debugfs", "-R", command, image().toString()).run().output();
  }

  private void make(FileTree tree) throws Exception {
    var progress = new Progress(new PrintStream(OutputStream.nullOutputStream()), false);
    try (var step = progress.step("disk")) {
      Ext4Image.of(tree, image(), SIZE, directory.resolve("staging"), step);
    }
  }

  @Test
  void ownersAndModesAreTheTreesAndNotTheBuilders() throws Exception {
    var tree = new FileTree(1_700_000_000);
    tree.directory("home", 01777);
    tree.put(
        "home/a file",
        new FileTree.Regular(
            Content.of("hello"), 04750, new FileTree.Owner(1000, 100), 1_700_000_000));
    tree.put("home/hard", tree.at("home/a file").orElseThrow());
    tree.put("home/link", new FileTree.SymbolicLink("a file", new FileTree.Owner(7, 8), 0));
    make(tree);

    assertThat(debugfs("stat \"/home/a file\""))
        .containsPattern("Mode:\\s+04750")
        .containsPattern("User:\\s+1000\\s+Group:\\s+100\\b")
        .containsPattern("Links: 2");
    assertThat(debugfs("stat /home"))
        .containsPattern("Mode:\\s+01777")
        .containsPattern("User:\\s+0\\b");
    assertThat(debugfs("stat /home/link"))
        .contains("\"a file\"")
        .containsPattern("User:\\s+7\\s+Group:\\s+8\\b");
    assertThat(debugfs("cat /home/hard")).isEqualTo("hello");
    assertThat(new HostCommand("e2fsck", "-fn", image().toString()).run().succeeded()).isTrue();
  }

  @Test
  void aDiskThatIsTooSmallIsASentenceWithTheSizeNeeded() {
    var tree = new FileTree(0);
    tree.file("big", 0644, Content.of(new byte[64 << 20]));
    assertThatThrownBy(() -> make(tree))
        .isInstanceOf(ImageException.class)
        .hasMessageMatching("The packages need a disk of [0-9]+M; give a larger --size\\.");
  }

  @Test
  void anEmptyDiskIsACleanFileSystemAndNeverReplacesAFile() throws Exception {
    Disks.create(image(), 16 << 20);
    assertThat(image()).hasSize(16 << 20);
    assertThat(new HostCommand("e2fsck", "-fn", image().toString()).run().succeeded()).isTrue();
    assertThatThrownBy(() -> Disks.create(image(), 16 << 20))
        .isInstanceOf(ImageException.class)
        .hasMessageContaining("exists");
    assertThatThrownBy(() -> Disks.create(directory.resolve("tiny"), 1000))
        .isInstanceOf(ImageException.class)
        .hasMessageContaining("8 MiB");
  }
}
