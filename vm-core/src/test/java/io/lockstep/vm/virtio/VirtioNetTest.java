package io.lockstep.vm.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.virtio.MockDriver.Buffer;
import io.lockstep.vm.virtio.MockDriver.Ring;
import io.lockstep.vm.virtio.MockDriver.Used;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VirtioNetTest {
  private static final long MRG_RXBUF = 1L << 15;
  private static final long CSUM = 1L;
  private static final long GUEST_CSUM = 2L;
  private static final long HOST_TSO4 = 1L << 11;

  private final MockDriver driver = new MockDriver(new VirtioSlot.Net(0x52_54_00_12_34_56L, true));
  private Ring[] rings;

  private void start(long features) {
    rings = driver.start(features, 2, 64);
  }

  private static byte[] frame(int length) {
    byte[] b = new byte[12 + length];
    new Random(length).nextBytes(b);
    Arrays.fill(b, 0, 12, (byte) 0);
    return b;
  }

  private void arrive(byte[] frame) {
    driver.transport.device().apply(new Input.PacketArrival(1, frame));
  }

  private byte[] send(byte[] frame) {
    driver.outputs.clear();
    rings[1].add(driver.out(frame));
    rings[1].kick();
    assertThat(rings[1].poll()).isNotNull();
    return driver.outputs.isEmpty()
        ? null
        : ((Output.PacketSent) driver.outputs.getFirst()).frame();
  }

  @Test
  void withoutOffloadsNoneIsOffered() {
    MockDriver plain = new MockDriver(new VirtioSlot.Net(1, false));
    assertThat(plain.offeredFeatures() & 0x7fff).isEqualTo(1 << 5);
  }

  @Test
  void aFrameIsSentWithItsHeader() {
    start(-1);
    byte[] frame = frame(60);
    rings[1].add(
        driver.out(Arrays.copyOf(frame, 12)), driver.out(Arrays.copyOfRange(frame, 12, 72)));
    rings[1].kick();
    assertThat(((Output.PacketSent) driver.outputs.getFirst()).frame()).isEqualTo(frame);
    assertThat(rings[1].poll()).isEqualTo(new Used(0, 0));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 13, 65_551})
  void framesOfImpossibleLengthAreTakenAndDropped(int length) {
    start(-1);
    assertThat(send(frame(length))).isNull();
  }

  @Test
  void theLongestFramePasses() {
    start(-1);
    assertThat(send(frame(65_550))).hasSize(VirtioNet.FRAME_MAX);
  }

  @Test
  void offloadsThatWereNotNegotiatedCannotBeUsed() {
    start(CSUM);
    byte[] segmented = frame(2000);
    segmented[0] = 1;
    segmented[1] = 1;
    segmented[5] = 5;
    segmented[6] = 34;
    segmented[8] = 16;
    assertThat(send(segmented)).isNull();
    start(CSUM | HOST_TSO4);
    assertThat(send(segmented)).isEqualTo(segmented);
  }

  @Test
  void aChecksumThatPointsOutsideOfTheFrameIsDropped() {
    start(-1);
    byte[] frame = frame(60);
    frame[0] = 1;
    frame[6] = 58;
    frame[8] = 1;
    assertThat(send(frame)).isNull();
    frame[8] = 0;
    assertThat(send(frame)).isEqualTo(frame);
  }

  @Test
  void aReceiverWithoutChecksumOffloadGetsTheChecksumFilledIn() {
    start(MRG_RXBUF);
    Buffer into = driver.in(200);
    rings[0].add(into);
    byte[] frame = frame(61);
    frame[0] = 1;
    frame[6] = 14;
    frame[8] = 6;
    arrive(frame);
    byte[] got = Arrays.copyOf(driver.bytes(into), 12 + 61);
    assertThat(Arrays.copyOf(got, 10)).containsOnly(0);
    int sum = 0;
    int pseudo = (frame[12 + 20] & 0xff) << 8 | frame[12 + 21] & 0xff;
    for (int i = 12 + 14; i < got.length; i += 2) {
      sum += (got[i] & 0xff) << 8 | (i + 1 < got.length ? got[i + 1] & 0xff : 0);
    }
    sum += pseudo;
    while (sum > 0xffff) {
      sum = (sum & 0xffff) + (sum >>> 16);
    }
    assertThat(sum).isEqualTo(0xffff);
  }

  @Test
  void aReceiverWithChecksumOffloadGetsTheRequest() {
    start(MRG_RXBUF | GUEST_CSUM);
    Buffer into = driver.in(200);
    rings[0].add(into);
    byte[] frame = frame(60);
    frame[0] = 1;
    frame[6] = 14;
    arrive(frame);
    frame[10] = 1;
    assertThat(Arrays.copyOf(driver.bytes(into), 72)).isEqualTo(frame);
  }

  @Test
  void aLongFrameIsSpreadOverBuffers() {
    start(MRG_RXBUF);
    Buffer[] into = {driver.in(100), driver.in(100), driver.in(100)};
    for (Buffer b : into) {
      rings[0].add(b);
    }
    byte[] frame = frame(188);
    arrive(frame);
    frame[10] = 2;
    assertThat(rings[0].poll()).isEqualTo(new Used(0, 100));
    assertThat(rings[0].poll()).isEqualTo(new Used(1, 100));
    assertThat(rings[0].poll()).isNull();
    assertThat(driver.bytes(into[0])).isEqualTo(Arrays.copyOf(frame, 100));
    assertThat(driver.bytes(into[1])).isEqualTo(Arrays.copyOfRange(frame, 100, 200));
    assertThat(driver.irq).isTrue();
  }

  @Test
  void aFrameWithoutRoomIsDroppedAndTheBuffersStay() {
    start(MRG_RXBUF);
    rings[0].add(driver.in(100));
    arrive(frame(188));
    assertThat(rings[0].usedIndex()).isZero();
    arrive(frame(80));
    assertThat(rings[0].poll()).isEqualTo(new Used(0, 92));
  }

  @Test
  void withoutMergingAFrameNeedsOneBuffer() {
    start(0);
    rings[0].add(driver.in(100));
    rings[0].add(driver.in(100));
    arrive(frame(188));
    assertThat(rings[0].usedIndex()).isZero();
  }

  @Test
  void framesBeforeTheDriverIsReadyAreDropped() {
    arrive(frame(60));
    start(-1);
    rings[0].add(driver.in(2000));
    assertThat(rings[0].usedIndex()).isZero();
  }

  @Test
  void anArrivingFrameThatMakesNoSenseIsDropped() {
    start(-1);
    rings[0].add(driver.in(2000));
    arrive(new byte[0]);
    arrive(new byte[11]);
    arrive(new byte[VirtioNet.FRAME_MAX + 1]);
    byte[] segmented = frame(60);
    segmented[1] = 3;
    arrive(segmented);
    assertThat(rings[0].usedIndex()).isZero();
    assertThat(driver.read(0x70)).isEqualTo(15);
  }

  /** A TCP segment over IPv4 or IPv6 with {@code payload} bytes, to be cut every {@code size}. */
  private static byte[] segment(boolean v6, int payload, int size) {
    int ip = 12 + 14;
    int tcp = ip + (v6 ? 40 : 20);
    byte[] f = new byte[tcp + 32 + payload];
    new Random(payload).nextBytes(f);
    Arrays.fill(f, 0, 12, (byte) 0);
    f[0] = 1;
    f[1] = (byte) (v6 ? 4 : 1);
    f[4] = (byte) size;
    f[5] = (byte) (size >>> 8);
    f[6] = (byte) (tcp - 12);
    f[8] = 16;
    f[24] = (byte) (v6 ? 0x86 : 0x08);
    f[25] = (byte) (v6 ? 0xdd : 0);
    f[ip] = (byte) (v6 ? 0x60 : 0x45);
    f[ip + (v6 ? 6 : 9)] = 6;
    f[tcp + 12] = (byte) 0x80; // 32 bytes of header
    f[tcp + 13] = (byte) 0x99; // CWR, ACK, PSH, FIN
    return f;
  }

  /** The ones' complement sum over pseudo header and segment, which is zero if all is well. */
  private static int checksum(byte[] f, boolean v6) {
    int ip = 26;
    int tcp = ip + (v6 ? 40 : 20);
    long sum = 6L + f.length - tcp;
    for (int i = v6 ? ip + 8 : ip + 12; i < f.length; i++) {
      if (i < ip + (v6 ? 40 : 20) || i >= tcp) {
        sum += (i & 1) == 0 ? (f[i] & 0xff) << 8 : f[i] & 0xff;
      }
    }
    while (sum > 0xffff) {
      sum = (sum & 0xffff) + (sum >>> 16);
    }
    return (int) sum ^ 0xffff;
  }

  private static int word(byte[] f, int at) {
    return (f[at] & 0xff) << 24
        | (f[at + 1] & 0xff) << 16
        | (f[at + 2] & 0xff) << 8
        | f[at + 3] & 0xff;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aSegmentThatTheDriverDoesNotTakeIsCutForIt(boolean v6) {
    start(0);
    Buffer[] into = {driver.in(1600), driver.in(1600), driver.in(1600), driver.in(1600)};
    for (Buffer b : into) {
      rings[0].add(b);
    }
    byte[] whole = segment(v6, 3001, 1400);
    int tcp = 26 + (v6 ? 40 : 20);
    arrive(whole);
    int at = tcp + 32;
    for (int i = 0; i < 3; i++) {
      int size = i < 2 ? 1400 : 201;
      Used used = rings[0].poll();
      assertThat(used).isEqualTo(new Used(i, tcp + 32 + size));
      byte[] piece = Arrays.copyOf(driver.bytes(into[i]), tcp + 32 + size);
      assertThat(Arrays.copyOf(piece, 12)).containsExactly(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0);
      assertThat(word(piece, tcp + 4)).isEqualTo(word(whole, tcp + 4) + i * 1400);
      assertThat(piece[tcp + 13] & 0xff).isEqualTo(i == 0 ? 0x90 : i == 1 ? 0x10 : 0x19);
      assertThat(checksum(piece, v6)).isZero();
      assertThat(Arrays.copyOfRange(piece, tcp + 32, piece.length))
          .isEqualTo(Arrays.copyOfRange(whole, at, at + size));
      at += size;
    }
    assertThat(rings[0].poll()).isNull();
    assertThat(driver.irq).isTrue();
  }

  @Test
  void aSegmentThatTheDriverTakesStaysWhole() {
    start(MRG_RXBUF | GUEST_CSUM | 1L << 7);
    Buffer into = driver.in(4000);
    rings[0].add(into);
    byte[] whole = segment(false, 3001, 1400);
    arrive(whole);
    whole[10] = 1;
    assertThat(Arrays.copyOf(driver.bytes(into), whole.length)).isEqualTo(whole);
  }

  @Test
  void noiseInSegmentsToBeCutHarmsNothing() {
    start(0);
    Random random = new Random(20);
    Buffer into = driver.in(2000);
    for (int i = 0; i < 8; i++) {
      rings[0].add(into);
    }
    for (int i = 0; i < 20_000; i++) {
      byte[] f = segment(random.nextBoolean(), random.nextInt(300), 1 + random.nextInt(200));
      for (int n = random.nextInt(8); n > 0; n--) {
        f[random.nextInt(Math.min(f.length, 100))] = (byte) random.nextInt();
      }
      arrive(Arrays.copyOf(f, random.nextInt(10) == 0 ? random.nextInt(f.length + 1) : f.length));
      while (rings[0].poll() != null) {
        rings[0].add(into);
      }
    }
    assertThat(driver.read(0x70)).isEqualTo(15);
  }
}
