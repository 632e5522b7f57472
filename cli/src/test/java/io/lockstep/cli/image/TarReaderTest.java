package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class TarReaderTest {
  private final ByteArrayOutputStream archive = new ByteArrayOutputStream();

  private void member(char type, String name, String link, byte[] content) {
    var header = new byte[512];
    put(header, 0, name);
    put(header, 100, "0004755");
    put(header, 108, "0000144");
    put(header, 116, "0000145");
    put(header, 124, String.format(Locale.ROOT, "%011o", content.length));
    put(header, 136, "14524640400");
    put(header, 148, "        ");
    header[156] = (byte) type;
    put(header, 157, link);
    put(header, 257, "ustar  ");
    int sum = 0;
    for (byte b : header) {
      sum += b & 0xff;
    }
    put(header, 148, String.format(Locale.ROOT, "%06o", sum));
    header[154] = 0;
    archive.writeBytes(header);
    archive.writeBytes(content);
    archive.writeBytes(new byte[-content.length & 511]);
  }

  private static void put(byte[] header, int at, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    System.arraycopy(bytes, 0, header, at, bytes.length);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private TarReader reader() {
    return new TarReader(new ByteArrayInputStream(archive.toByteArray()));
  }

  private List<TarReader.Entry> all() throws IOException {
    TarReader reader = reader();
    var entries = new ArrayList<TarReader.Entry>();
    for (Optional<TarReader.Entry> next = reader.next(); next.isPresent(); next = reader.next()) {
      entries.add(next.get());
    }
    return entries;
  }

  @Test
  void everyKindIsReadWithItsAttributes() throws IOException {
    member('5', "./usr/", "", new byte[0]);
    member('0', "./usr/a", "", bytes("hello"));
    member('1', "./usr/b", "./usr/a", new byte[0]);
    member('2', "./usr/c", "a", new byte[0]);
    archive.writeBytes(new byte[1024]);
    List<TarReader.Entry> entries = all();
    assertThat(entries)
        .extracting(TarReader.Entry::kind)
        .containsExactly(
            TarReader.Kind.DIRECTORY,
            TarReader.Kind.FILE,
            TarReader.Kind.HARD_LINK,
            TarReader.Kind.SYMBOLIC_LINK);
    assertThat(entries.get(1).mode()).isEqualTo(04755);
    assertThat(entries.get(1).uid()).isEqualTo(100);
    assertThat(entries.get(1).gid()).isEqualTo(101);
    assertThat(entries.get(1).size()).isEqualTo(5);
    assertThat(entries.get(3).linkTarget()).isEqualTo("a");
  }

  @Test
  void contentMayBeReadOrSkipped() throws IOException {
    member('0', "a", "", bytes("first"));
    member('0', "b", "", bytes("second"));
    TarReader reader = reader();
    reader.next();
    TarReader.Entry second = reader.next().orElseThrow();
    assertThat(reader.content().readNBytes((int) second.size())).isEqualTo(bytes("second"));
    reader.consumed();
    assertThat(reader.next()).isEmpty();
  }

  @Test
  void longNamesOfBothDialectsAreUsed() throws IOException {
    String name = "usr/share/" + "n".repeat(150);
    member('L', "././@LongLink", "", bytes(name + "\0"));
    member('0', name.substring(0, 100), "", bytes("x"));
    member('x', "PaxHeaders/y", "", bytes("12 path=a/b\n16 linkpath=c/d\n"));
    member('2', "y", "", new byte[0]);
    List<TarReader.Entry> entries = all();
    assertThat(entries.get(0).name()).isEqualTo(name);
    assertThat(entries.get(1).name()).isEqualTo("a/b");
    assertThat(entries.get(1).linkTarget()).isEqualTo("c/d");
  }

  @Test
  void aDamagedHeaderIsAnError() {
    member('0', "a", "", bytes("x"));
    byte[] damaged = archive.toByteArray();
    damaged[3] = 7;
    assertThatThrownBy(() -> new TarReader(new ByteArrayInputStream(damaged)).next())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("damaged");
  }

  @Test
  void anArchiveThatEndsTooEarlyIsAnError() {
    member('0', "a", "", new byte[2000]);
    byte[] bytes = archive.toByteArray();
    TarReader reader = new TarReader(new ByteArrayInputStream(bytes, 0, 1000));
    assertThatThrownBy(
            () -> {
              reader.next();
              reader.next();
            })
        .isInstanceOf(IOException.class);
  }
}
