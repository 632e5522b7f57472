package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class CpioWriterTest {
  private static final long TIME = 1_700_000_000;

  private record Member(String name, List<Long> fields, String content) {
    long inode() {
      return fields.get(0);
    }

    long mode() {
      return fields.get(1);
    }

    long links() {
      return fields.get(4);
    }
  }

  /** Reads an archive the way the kernel does: fixed headers, everything padded to four bytes. */
  private static List<Member> read(byte[] archive) {
    var members = new ArrayList<Member>();
    int at = 0;
    while (at < archive.length) {
      assertThat(new String(archive, at, 6, StandardCharsets.US_ASCII)).isEqualTo("070701");
      var fields = new ArrayList<Long>();
      for (int i = 0; i < 13; i++) {
        String digits = new String(archive, at + 6 + 8 * i, 8, StandardCharsets.US_ASCII);
        fields.add(Long.parseLong(digits, 16));
      }
      int nameSize = fields.get(11).intValue();
      String name = new String(archive, at + 110, nameSize - 1, StandardCharsets.UTF_8);
      assertThat(archive[at + 110 + nameSize - 1]).isZero();
      int content = (at + 110 + nameSize + 3) & ~3;
      int size = fields.get(6).intValue();
      members.add(
          new Member(
              name,
              fields,
              new String(
                  Arrays.copyOfRange(archive, content, content + size), StandardCharsets.UTF_8)));
      at = (content + size + 3) & ~3;
    }
    return members;
  }

  private static List<Member> write(FileTree tree) throws IOException {
    var out = new ByteArrayOutputStream();
    CpioWriter.write(tree, out);
    return read(out.toByteArray());
  }

  private static Member named(List<Member> members, String name) {
    return members.stream().filter(member -> member.name().equals(name)).findFirst().orElseThrow();
  }

  @Test
  void aDirectoryComesBeforeItsFilesAndTheTrailerLast() throws IOException {
    var tree = new FileTree(TIME);
    tree.file("etc/a", 0644, "x");
    tree.file("etc-not/b", 0644, "y");
    assertThat(write(tree))
        .extracting(Member::name)
        .containsExactly("etc", "etc-not", "etc-not/b", "etc/a", "TRAILER!!!");
  }

  @Test
  void contentOfEverySizeModuloFourIsKept() throws IOException {
    var tree = new FileTree(TIME);
    for (int size = 0; size < 9; size++) {
      tree.file("f" + size, 0644, "z".repeat(size));
    }
    List<Member> members = write(tree);
    for (int size = 0; size < 9; size++) {
      assertThat(named(members, "f" + size).content()).isEqualTo("z".repeat(size));
    }
  }

  @Test
  void typesAndModesAreThoseOfTheTree() throws IOException {
    var tree = new FileTree(TIME);
    tree.directory("d", 0700);
    tree.file("d/program", 04755, "p");
    tree.link("d/link", "program");
    tree.device("console", 0600, 5, 1);
    List<Member> members = write(tree);
    assertThat(named(members, "d").mode()).isEqualTo(0040700);
    assertThat(named(members, "d/program").mode()).isEqualTo(0104755);
    assertThat(named(members, "d/link").mode()).isEqualTo(0120777);
    assertThat(named(members, "d/link").content()).isEqualTo("program");
    assertThat(named(members, "console").mode()).isEqualTo(0020600);
    assertThat(named(members, "console").fields().subList(9, 11)).containsExactly(5L, 1L);
  }

  @Test
  void hardLinksShareOneInodeAndCarryTheirContentOnce() throws IOException {
    var tree = new FileTree(TIME);
    tree.file("a", 0755, "shared");
    tree.put("b", tree.at("a").orElseThrow());
    tree.file("c", 0755, "shared");
    List<Member> members = write(tree);
    assertThat(named(members, "a").inode()).isEqualTo(named(members, "b").inode());
    assertThat(named(members, "a").links()).isEqualTo(2);
    assertThat(named(members, "a").content()).isEqualTo("shared");
    assertThat(named(members, "b").content()).isEmpty();
    assertThat(named(members, "c").inode()).isNotEqualTo(named(members, "a").inode());
    assertThat(named(members, "c").content()).isEqualTo("shared");
  }

  @Test
  void theSameTreeGivesTheSameBytes() throws IOException {
    var first = new ByteArrayOutputStream();
    var second = new ByteArrayOutputStream();
    for (ByteArrayOutputStream out : List.of(first, second)) {
      var tree = new FileTree(TIME);
      tree.file("usr/bin/x", 0755, "x");
      tree.link("bin", "usr/bin");
      CpioWriter.write(tree, out);
    }
    assertThat(first.toByteArray()).isEqualTo(second.toByteArray());
  }
}
