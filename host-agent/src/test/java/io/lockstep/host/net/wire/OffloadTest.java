package io.lockstep.host.net.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class OffloadTest {
  private static final int SOURCE = Ipv4.address(10, 0, 2, 2);
  private static final int DESTINATION = Ipv4.address(10, 0, 2, 15);

  private static Frame tcpFrame(int payload, int gsoSize, byte[] content) {
    byte[] b = new byte[54 + payload];
    EtherType.writeHeader(b, 0, 2, 4, EtherType.IPV4);
    Ipv4.writeHeader(
        b, 14, Ipv4.TCP, SOURCE, DESTINATION, 40 + payload, 0xfffe, Ipv4.DONT_FRAGMENT);
    Bytes.put32(b, 38, 0x7fff_fff0);
    b[46] = 0x50;
    b[47] = 0x19; // FIN PSH ACK
    System.arraycopy(content, 0, b, 54, payload);
    Bytes.put16(
        b,
        50,
        InternetChecksum.fold(
            InternetChecksum.pseudoHeader(SOURCE, DESTINATION, Ipv4.TCP, 20 + payload)));
    Frame f = new Frame().set(b, 0, b.length);
    f.flags = Frame.NEEDS_CHECKSUM;
    f.checksumStart = 34;
    f.checksumOffset = 16;
    f.gsoSize = gsoSize;
    f.gsoType = gsoSize > 0 ? Frame.GSO_TCPV4 : Frame.GSO_NONE;
    return f;
  }

  private static List<byte[]> adapt(Frame f, int abilities) {
    List<byte[]> pieces = new ArrayList<>();
    boolean good =
        Offload.adapt(
            f,
            abilities,
            new byte[Frame.MAX_LENGTH],
            new Frame(),
            piece ->
                pieces.add(
                    Arrays.copyOfRange(piece.data, piece.offset, piece.offset + piece.length)));
    return good ? pieces : List.of();
  }

  private static void assertChecksums(byte[] b) {
    assertThat(InternetChecksum.of(b, 14, 20)).isZero();
    long pseudo = InternetChecksum.pseudoHeader(SOURCE, DESTINATION, Ipv4.TCP, b.length - 34);
    assertThat(InternetChecksum.finish(InternetChecksum.add(pseudo, b, 34, b.length - 34)))
        .isZero();
  }

  @Test
  void aLargeSegmentIsCutIntoWholeOnes() {
    byte[] content = new byte[60_000];
    new Random(1).nextBytes(content);
    List<byte[]> pieces = adapt(tcpFrame(content.length, 1448, content), Offload.NONE);
    assertThat(pieces).hasSize(42);
    ByteArrayOutputStream joined = new ByteArrayOutputStream();
    for (int i = 0; i < pieces.size(); i++) {
      byte[] b = pieces.get(i);
      assertChecksums(b);
      assertThat(Bytes.u16(b, 16)).isEqualTo(b.length - 14);
      assertThat(Bytes.u16(b, 18)).isEqualTo(0xfffe + i & 0xffff);
      assertThat(Bytes.i32(b, 38)).isEqualTo(0x7fff_fff0 + joined.size());
      assertThat(b[47] & 0x09).isEqualTo(i == 41 ? 0x09 : 0);
      joined.write(b, 54, b.length - 54);
    }
    assertThat(joined.toByteArray()).isEqualTo(content);
  }

  @Test
  void whoeverTakesLargeSegmentsGetsThemWhole() {
    assertThat(adapt(tcpFrame(5000, 1448, new byte[5000]), Offload.ALL)).hasSize(1);
  }

  @Test
  void aPartialChecksumIsCompleted() {
    for (int size = 0; size < 100; size++) {
      byte[] content = new byte[size];
      new Random(size).nextBytes(content);
      List<byte[]> pieces = adapt(tcpFrame(size, 0, content), Offload.NONE);
      assertThat(pieces).hasSize(1);
      assertChecksums(pieces.get(0));
    }
  }

  @Test
  void noiseIsDroppedOrPassedButNeverThrows() {
    for (long seed = 1; seed <= 20_000; seed++) {
      Random random = new Random(seed);
      byte[] b = new byte[random.nextInt(300)];
      random.nextBytes(b);
      if (b.length > 40) {
        b[0] &= 3;
        b[1] = (byte) new int[] {0, 1, 4, 5, 3, 0x81}[random.nextInt(6)];
        Bytes.put16(b, 24, random.nextBoolean() ? EtherType.IPV4 : EtherType.IPV6);
        b[26] = (byte) (0x40 | random.nextInt(16));
        b[35] = (byte) (random.nextBoolean() ? Ipv4.TCP : Ipv4.UDP);
        b[7] = 0;
        b[9] = 0;
        b[11] = 0;
      }
      Frame f = new Frame();
      if (f.setWithHeader(b, 0, b.length)) {
        adapt(f, Offload.NONE);
        f.writeHeader(new byte[12], 0);
      }
    }
  }
}
