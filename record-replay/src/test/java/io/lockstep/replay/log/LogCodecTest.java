package io.lockstep.replay.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lockstep.vm.port.Input;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LogCodecTest {
  private static final LogHeader HEADER = new LogHeader(7, 1000, 0x1122334455667788L);

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void anyEntriesComeBackAsTheyWere(long seed) {
    Random random = new Random(seed);
    List<LogEntry> entries = Entries.random(random, 500, HEADER.startPoint());
    byte[] stream = encode(entries);
    Read read = readInPieces(stream, random);
    assertThat(read.header).isEqualTo(HEADER);
    assertThat(read.damage).isNull();
    assertThat(read.entries).hasSameSizeAs(entries);
    for (int i = 0; i < entries.size(); i++) {
      assertThat(Entries.text(read.entries.get(i))).isEqualTo(Entries.text(entries.get(i)));
    }
    assertThat(read.nextLsn).isEqualTo(HEADER.firstLsn() + entries.size());
    assertThat(read.soundBytes).isEqualTo(stream.length);
  }

  @Test
  void aFlippedByteAnywhereIsFoundAndNothingBehindItIsRead() {
    List<LogEntry> entries = Entries.random(new Random(11), 25, HEADER.startPoint());
    byte[] stream = encode(entries);
    int[] ends = frameEnds(stream);
    for (int at = 0; at < stream.length; at++) {
      for (int flip : new int[] {0x01, 0x80, 0xff}) {
        byte[] copy = stream.clone();
        copy[at] ^= (byte) flip;
        Read read = read(copy);
        int sound = framesBefore(ends, at);
        assertThat(read.entries).as("byte %d", at).hasSize(Math.max(0, sound - 1));
        assertThat(read.damage != null || read.pending > 0).as("byte %d is found", at).isTrue();
        assertThat(read.soundBytes).isEqualTo(sound == 0 ? 0 : ends[sound - 1]);
      }
    }
  }

  @Test
  void aStreamCutAnywhereGivesTheWholeFramesBeforeTheCut() {
    List<LogEntry> entries = Entries.random(new Random(12), 40, HEADER.startPoint());
    byte[] stream = encode(entries);
    int[] ends = frameEnds(stream);
    for (int length = 0; length < stream.length; length++) {
      Read read = read(Arrays.copyOf(stream, length));
      int sound = framesBefore(ends, length);
      assertThat(read.damage).isNull();
      assertThat(read.entries).hasSize(Math.max(0, sound - 1));
      assertThat(read.pending).isEqualTo(length - (sound == 0 ? 0 : ends[sound - 1]));
    }
  }

  @Test
  void aLostADoubledAndASwappedFrameAreFound() {
    List<LogEntry> entries = Entries.random(new Random(13), 30, HEADER.startPoint());
    byte[] stream = encode(entries);
    int[] ends = frameEnds(stream);
    for (int i = 1; i + 2 < ends.length; i++) {
      byte[] before = Arrays.copyOfRange(stream, 0, ends[i - 1]);
      byte[] frame = Arrays.copyOfRange(stream, ends[i - 1], ends[i]);
      byte[] next = Arrays.copyOfRange(stream, ends[i], ends[i + 1]);
      byte[] rest = Arrays.copyOfRange(stream, ends[i + 1], stream.length);
      assertThat(read(join(before, next, rest)).entries).hasSize(i - 1);
      assertThat(read(join(before, frame, frame, next, rest)).entries).hasSize(i);
      assertThat(read(join(before, next, frame, rest)).entries).hasSize(i - 1);
    }
  }

  @Test
  void framesOfAnotherRunAreFound() {
    LogEncoder other = new LogEncoder(new LogHeader(7, 1000, 99));
    other.clear();
    byte[] foreign = other.encode(new LogEntry.Flush(2000));
    byte[] stream = join(encode(List.of()), foreign);
    assertThat(read(stream).damage.kind()).isEqualTo(LogDamage.Kind.BAD_CHECKSUM);
  }

  @Test
  void randomBytesNeverThrow() {
    Random random = new Random(14);
    for (int i = 0; i < 20_000; i++) {
      byte[] noise = Entries.bytes(random, 200);
      Read read = read(noise);
      assertThat(read.entries).isEmpty();
    }
  }

  @Test
  void anotherVersionIsNamed() {
    byte[] stream = encode(List.of());
    // Version 2, with the right checksum for it.
    int versionAt = 1 + 1 + 4;
    assertThat(stream[versionAt - 1] == 1 || stream[versionAt] == 1).isTrue();
    int at = stream[versionAt] == 1 ? versionAt : versionAt - 1;
    stream[at] = 2;
    java.util.zip.CRC32C crc = new java.util.zip.CRC32C();
    int checksum = Checksum.of(crc, 0, stream, 0, stream.length - 4);
    ByteBuffer.wrap(stream)
        .order(java.nio.ByteOrder.LITTLE_ENDIAN)
        .putInt(stream.length - 4, checksum);
    LogDamage damage = read(stream).damage;
    assertThat(damage.kind()).isEqualTo(LogDamage.Kind.WRONG_VERSION);
    assertThat(damage.detail()).contains("version 2");
  }

  @Test
  void aClockReadingTakesTwelveBytesWhenNothingButTimeChanged() {
    LogEncoder encoder = new LogEncoder(new LogHeader(0, 0, 1));
    encoder.encode(Entries.input(0, new Input.ClockReading(0, 1 << 26, 50_000)));
    byte[] frame =
        encoder.encode(Entries.input(1_500_000, new Input.ClockReading(51_234, 1 << 26, 101_234)));
    assertThat(frame.length).isLessThanOrEqualTo(12);
  }

  @Test
  void framingCostsLessThanFivePercentOfAFullFrameAndOfAPageRead() {
    LogEncoder encoder = new LogEncoder(new LogHeader(0, 0, 1));
    byte[] packet =
        encoder.encode(Entries.input(5_000_000, new Input.PacketArrival(2, new byte[1526])));
    assertThat(packet.length).isLessThan((int) (1514 * 1.05));
    byte[] page =
        encoder.encode(
            Entries.input(
                9_000_000,
                new Input.BlockCompletion(1, 9_000, Input.BlockStatus.OK, new byte[4096])));
    assertThat(page.length).isLessThan((int) (4096 * 1.05));
  }

  @Test
  void anEntryBeforeTheLastOneIsRefused() {
    LogEncoder encoder = new LogEncoder(new LogHeader(0, 10, 1));
    assertThatThrownBy(() -> encoder.append(new LogEntry.Flush(9)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static byte[] encode(List<LogEntry> entries) {
    LogEncoder encoder = new LogEncoder(HEADER);
    entries.forEach(encoder::append);
    return Arrays.copyOf(encoder.buffer(), encoder.size());
  }

  private static int[] frameEnds(byte[] stream) {
    LogDecoder decoder = new LogDecoder();
    decoder.feed(stream, 0, stream.length);
    List<Integer> ends = new ArrayList<>();
    while (!(decoder.next() instanceof DecodeResult.NeedMore)) {
      ends.add((int) decoder.soundBytes());
    }
    return ends.stream().mapToInt(Integer::intValue).toArray();
  }

  private static int framesBefore(int[] ends, int at) {
    return (int) Arrays.stream(ends).filter(end -> end <= at).count();
  }

  private static byte[] join(byte[]... parts) {
    ByteBuffer out = ByteBuffer.allocate(Arrays.stream(parts).mapToInt(p -> p.length).sum());
    for (byte[] part : parts) {
      out.put(part);
    }
    return out.array();
  }

  private static Read read(byte[] stream) {
    LogDecoder decoder = new LogDecoder();
    decoder.feed(ByteBuffer.wrap(stream));
    Read read = new Read();
    read.take(decoder);
    return read;
  }

  private static Read readInPieces(byte[] stream, Random random) {
    LogDecoder decoder = new LogDecoder();
    Read read = new Read();
    for (int at = 0; at < stream.length; ) {
      int piece = Math.min(stream.length - at, 1 + random.nextInt(3000));
      decoder.feed(stream, at, piece);
      at += piece;
      read.take(decoder);
    }
    return read;
  }

  private static final class Read {
    LogHeader header;
    final List<LogEntry> entries = new ArrayList<>();
    LogDamage damage;
    long soundBytes;
    long nextLsn;
    int pending;

    void take(LogDecoder decoder) {
      for (boolean more = true; more; ) {
        switch (decoder.next()) {
          case DecodeResult.Header h -> header = h.header();
          case DecodeResult.Decoded d -> entries.add(d.entry());
          case DecodeResult.NeedMore n -> more = false;
          case DecodeResult.Damaged d -> {
            damage = d.damage();
            more = false;
          }
        }
      }
      soundBytes = decoder.soundBytes();
      nextLsn = decoder.nextLsn();
      pending = decoder.pendingBytes();
    }
  }
}
