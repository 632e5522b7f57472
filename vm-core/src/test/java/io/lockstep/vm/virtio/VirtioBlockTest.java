package io.lockstep.vm.virtio;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Input.BlockStatus;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.Output.BlockOp;
import io.lockstep.vm.virtio.MockDriver.Buffer;
import io.lockstep.vm.virtio.MockDriver.Ring;
import io.lockstep.vm.virtio.MockDriver.Used;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class VirtioBlockTest {
  private static final int SECTORS = 10_000;
  private static final byte[] NOTHING = {};

  private MockDriver driver = new MockDriver(new VirtioSlot.Block(SECTORS, false, "disk-1"));
  private Ring ring = driver.start(-1, 1, 64)[0];

  private Buffer header(int type, long sector) {
    ByteBuffer b = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    return driver.out(b.putInt(type).putInt(0).putLong(sector).array());
  }

  private Buffer range(long sector, int sectors, int flags) {
    ByteBuffer b = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    return driver.out(b.putLong(sector).putInt(sectors).putInt(flags).array());
  }

  private Buffer status() {
    Buffer b = driver.in(1);
    driver.ram.write(b.address(), new byte[] {99}, 0, 1);
    return b;
  }

  private static byte[] random(int length) {
    byte[] b = new byte[length];
    new Random(length).nextBytes(b);
    return b;
  }

  private List<Output.BlockRequest> requests() {
    return driver.outputs(Output.BlockRequest.class);
  }

  private void complete(long requestId, BlockStatus status, byte[] data) {
    driver.transport.device().apply(new Input.BlockCompletion(1, requestId, status, data));
  }

  @Test
  void theConfigurationTellsTheCapacity() {
    assertThat(driver.transport.read(0x100, 8)).isEqualTo(SECTORS);
    assertThat(driver.transport.read(0x114, 4)).isEqualTo(512);
  }

  @Test
  void aReadIsAnnouncedAndItsDataArrivesWithTheCompletion() {
    Buffer one = driver.in(512);
    Buffer two = driver.in(1024);
    Buffer status = status();
    ring.add(header(0, 7), one, two, status);
    ring.kick();
    Output.BlockRequest r = requests().getFirst();
    assertThat(r.op()).isEqualTo(BlockOp.READ);
    assertThat(r.sector()).isEqualTo(7);
    assertThat(r.length()).isEqualTo(1536);
    assertThat(r.data()).isEmpty();
    assertThat(ring.poll()).isNull();
    byte[] data = random(1536);
    complete(r.requestId(), BlockStatus.OK, data);
    assertThat(ring.poll()).isEqualTo(new Used(0, 1537));
    assertThat(driver.bytes(one)).isEqualTo(Arrays.copyOf(data, 512));
    assertThat(driver.bytes(two)).isEqualTo(Arrays.copyOfRange(data, 512, 1536));
    assertThat(driver.bytes(status)).containsExactly(0);
    assertThat(driver.irq).isTrue();
  }

  @Test
  void aWriteCarriesTheBytesOfTheDoorbellsMoment() {
    byte[] data = random(1024);
    Buffer from = driver.out(data);
    Buffer status = status();
    ring.add(header(1, SECTORS - 2), from, status);
    ring.kick();
    driver.ram.zero(from.address(), 1024);
    Output.BlockRequest r = requests().getFirst();
    assertThat(r.op()).isEqualTo(BlockOp.WRITE);
    assertThat(r.data()).isEqualTo(data);
    complete(r.requestId(), BlockStatus.OK, NOTHING);
    assertThat(driver.bytes(status)).containsExactly(0);
    assertThat(ring.poll()).isEqualTo(new Used(0, 1));
  }

  @Test
  void headerDataAndStatusMayBeSplitAnywhere() {
    byte[] all = new byte[16 + 512];
    System.arraycopy(driver.bytes(header(1, 3)), 0, all, 0, 16);
    System.arraycopy(random(512), 0, all, 16, 512);
    Buffer whole = driver.out(all);
    ring.add(
        new Buffer(whole.address(), 5, false),
        new Buffer(whole.address() + 5, 100, false),
        new Buffer(whole.address() + 105, all.length - 105, false),
        status());
    ring.kick();
    assertThat(requests().getFirst().sector()).isEqualTo(3);
    assertThat(requests().getFirst().data()).isEqualTo(random(512));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 9999, 1024, 1",
    "0, 10000, 512, 1",
    "0, -1, 512, 1",
    "0, 9223372036854775807, 512, 1",
    "0, 0, 511, 1",
    "1, 9999, 1024, 1",
    "0, 0, 0, 0",
    "99, 0, 512, 2"
  })
  void whatIsNotOnTheDiskIsRefusedAtOnce(int type, long sector, int length, int expected) {
    Buffer status = status();
    Buffer data = type == 1 ? driver.out(new byte[length]) : driver.in(length);
    ring.add(header(type, sector), data, status);
    ring.kick();
    assertThat(requests()).isEmpty();
    assertThat(driver.bytes(status)).containsExactly(expected);
    assertThat(ring.poll()).isEqualTo(new Used(0, 1));
  }

  @Test
  void aFailedReadLeavesTheBufferAlone() {
    Buffer into = driver.in(512);
    Buffer status = status();
    ring.add(header(0, 0), into, status);
    ring.kick();
    complete(requests().getFirst().requestId(), BlockStatus.IO_ERROR, NOTHING);
    assertThat(driver.bytes(status)).containsExactly(1);
    assertThat(driver.bytes(into)).containsOnly(0);
  }

  @Test
  void aReadThatBringsTooLittleIsAnError() {
    Buffer status = status();
    ring.add(header(0, 0), driver.in(512), status);
    ring.kick();
    complete(requests().getFirst().requestId(), BlockStatus.OK, new byte[100]);
    assertThat(driver.bytes(status)).containsExactly(1);
  }

  @Test
  void flushDiscardAndZeroingAreAnnounced() {
    ring.add(header(4, 0), status());
    ring.add(header(11, 0), range(100, 8, 0), status());
    ring.add(header(13, 0), range(200, 16, 1), status());
    ring.kick();
    assertThat(requests())
        .extracting(
            Output.BlockRequest::op, Output.BlockRequest::sector, Output.BlockRequest::length)
        .containsExactly(
            org.assertj.core.groups.Tuple.tuple(BlockOp.FLUSH, 0L, 0L),
            org.assertj.core.groups.Tuple.tuple(BlockOp.DISCARD, 100L, 4096L),
            org.assertj.core.groups.Tuple.tuple(BlockOp.WRITE_ZEROES, 200L, 8192L));
    requests().forEach(r -> complete(r.requestId(), BlockStatus.OK, NOTHING));
    assertThat(ring.usedIndex()).isEqualTo(3);
  }

  @ParameterizedTest
  @CsvSource({"11, 0, 8, 1, 2", "13, 0, 8, 2, 2", "13, 9999, 2, 0, 1", "11, 0, -1, 0, 1"})
  void badRangesAreRefused(int type, long sector, int sectors, int flags, int expected) {
    Buffer status = status();
    ring.add(header(type, 0), range(sector, sectors, flags), status);
    ring.kick();
    assertThat(driver.bytes(status)).containsExactly(expected);
    assertThat(requests()).isEmpty();
  }

  @Test
  void theSerialNumberIsAnsweredByTheDevice() {
    Buffer id = driver.in(20);
    ring.add(header(8, 0), id, status());
    ring.kick();
    assertThat(new String(driver.bytes(id), US_ASCII).trim()).isEqualTo("disk-1");
    assertThat(ring.poll()).isEqualTo(new Used(0, 21));
  }

  @Test
  void aReadOnlyDiskRefusesWrites() {
    driver = new MockDriver(new VirtioSlot.Block(SECTORS, true, ""));
    ring = driver.start(-1, 1, 16)[0];
    assertThat(driver.offeredFeatures() & 1 << 5).isNotZero();
    Buffer status = status();
    ring.add(header(1, 0), driver.out(new byte[512]), status);
    ring.kick();
    assertThat(driver.bytes(status)).containsExactly(1);
    assertThat(requests()).isEmpty();
  }

  @Test
  void aRequestWithoutRoomForTheStatusBreaksTheDevice() {
    ring.add(header(4, 0));
    ring.kick();
    assertThat(driver.read(0x70) & 64).isEqualTo(64);
  }

  @Test
  void aLargeRequestGoesOutInChunks() {
    int length = 2 * VirtioBlock.CHUNK_MAX + 512;
    driver = new MockDriver(new VirtioSlot.Block(SECTORS, false, ""), new GuestRam(16 << 20));
    ring = driver.start(-1, 1, 16)[0];
    Buffer into = driver.in(length);
    Buffer status = status();
    ring.add(header(0, 5), into, status);
    ring.kick();
    byte[] data = random(length);
    int done = 0;
    List<Integer> sizes = new ArrayList<>();
    while (done < length) {
      Output.BlockRequest r = requests().getLast();
      assertThat(r.sector()).isEqualTo(5 + done / 512);
      assertThat(ring.poll()).isNull();
      int n = (int) r.length();
      sizes.add(n);
      complete(r.requestId(), BlockStatus.OK, Arrays.copyOfRange(data, done, done + n));
      done += n;
    }
    assertThat(sizes).containsExactly(VirtioBlock.CHUNK_MAX, VirtioBlock.CHUNK_MAX, 512);
    assertThat(ring.poll()).isEqualTo(new Used(0, length + 1));
    assertThat(driver.bytes(into)).isEqualTo(data);
  }

  @Test
  void theRingWaitsWhileTooManyBytesAreUnderWay() {
    Buffer shared = driver.out(new byte[VirtioBlock.CHUNK_MAX]);
    for (int i = 0; i < 20; i++) {
      ring.add(header(1, 0), shared, status());
    }
    ring.kick();
    int atOnce = VirtioBlock.IN_FLIGHT_MAX / VirtioBlock.CHUNK_MAX;
    assertThat(requests()).hasSize(atOnce);
    for (int i = 0; i < 20; i++) {
      complete(requests().get(i).requestId(), BlockStatus.OK, NOTHING);
      assertThat(requests()).hasSize(Math.min(20, atOnce + i + 1));
    }
    assertThat(ring.usedIndex()).isEqualTo(20);
  }

  @Test
  void requestsMayEndInAnyOrder() {
    Buffer[] statuses = {status(), status(), status()};
    int[] heads = new int[3];
    for (int i = 0; i < 3; i++) {
      heads[i] = ring.add(header(4, 0), statuses[i]);
    }
    ring.kick();
    List<Output.BlockRequest> r = requests();
    complete(r.get(2).requestId(), BlockStatus.OK, NOTHING);
    complete(r.get(0).requestId(), BlockStatus.UNSUPPORTED, NOTHING);
    assertThat(ring.poll().head()).isEqualTo(heads[2]);
    assertThat(ring.poll().head()).isEqualTo(heads[0]);
    assertThat(ring.poll()).isNull();
    assertThat(driver.bytes(statuses[0])).containsExactly(2);
    assertThat(driver.bytes(statuses[1])).containsExactly(99);
  }

  @Test
  void aCompletionAfterAResetIsIgnored() {
    Buffer into = driver.in(512);
    ring.add(header(0, 0), into, status());
    ring.kick();
    long old = requests().getFirst().requestId();
    ring = driver.start(-1, 1, 16)[0];
    ring.add(header(0, 0), driver.in(512), status());
    ring.kick();
    assertThat(requests().getLast().requestId()).isGreaterThan(old);
    complete(old, BlockStatus.OK, random(512));
    assertThat(ring.usedIndex()).isZero();
    assertThat(driver.bytes(into)).containsOnly(0);
  }

  @Test
  void aSecondCompletionIsIgnored() {
    ring.add(header(4, 0), status());
    ring.kick();
    long id = requests().getFirst().requestId();
    complete(id, BlockStatus.OK, NOTHING);
    complete(id, BlockStatus.OK, NOTHING);
    assertThat(ring.usedIndex()).isEqualTo(1);
  }

  @Test
  void whatIsInFlightIsIssuedAgainAfterARestoreInTheOrderOfTheIds() {
    Buffer from = driver.out(random(512));
    ring.add(header(1, 1), from, status());
    ring.add(header(0, 2), driver.in(512), status());
    ring.add(header(4, 0), status());
    ring.kick();
    complete(requests().get(1).requestId(), BlockStatus.OK, new byte[512]);
    byte[] state = driver.save();

    MockDriver other = new MockDriver(new VirtioSlot.Block(SECTORS, false, "disk-1"), driver.ram);
    other.restore(state);
    assertThat(other.save()).isEqualTo(state);
    other.transport.device().reissue(other.outputs::add);
    assertThat(other.outputs)
        .usingRecursiveComparison()
        .isEqualTo(List.of(requests().get(0), requests().get(2)));
    for (Output.BlockRequest r : other.outputs(Output.BlockRequest.class)) {
      other
          .transport
          .device()
          .apply(new Input.BlockCompletion(1, r.requestId(), BlockStatus.OK, NOTHING));
    }
    assertThat(ring.usedIndex()).isEqualTo(3);
    assertThat(other.irq).isTrue();
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void aDiskBehindTheDeviceHoldsWhatWasWritten(long seed) {
    Random random = new Random(seed);
    byte[] disk = new byte[64 * 512];
    byte[] model = new byte[64 * 512];
    int served = 0;
    for (int round = 0; round < 300; round++) {
      int sectors = 1 + random.nextInt(4);
      int sector = random.nextInt(64 - sectors);
      boolean write = random.nextBoolean();
      byte[] data = new byte[sectors * 512];
      random.nextBytes(data);
      Buffer buffer = write ? driver.out(data) : driver.in(data.length);
      ring.add(header(write ? 1 : 0, sector), buffer, status());
      ring.kick();
      for (; served < requests().size(); served++) {
        Output.BlockRequest r = requests().get(served);
        int at = (int) r.sector() * 512;
        System.arraycopy(r.data(), 0, disk, at, r.data().length);
        byte[] read =
            r.op() == BlockOp.READ ? Arrays.copyOfRange(disk, at, at + (int) r.length()) : NOTHING;
        complete(r.requestId(), BlockStatus.OK, read);
      }
      assertThat(ring.poll()).isNotNull();
      if (write) {
        System.arraycopy(data, 0, model, sector * 512, data.length);
      } else {
        assertThat(driver.bytes(buffer))
            .as("seed %d", seed)
            .isEqualTo(Arrays.copyOfRange(model, sector * 512, (sector + sectors) * 512));
      }
    }
  }
}
