package io.lockstep.vm.virtio;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.snapshot.StateFormatException;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.virtio.MockDriver.Buffer;
import io.lockstep.vm.virtio.MockDriver.Ring;
import io.lockstep.vm.virtio.MockDriver.Used;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VirtqueueTest {
  private static final int NEEDS_RESET = 64;

  private final MockDriver driver = new MockDriver(new VirtioSlot.Console());

  private Ring transmitRing(long features) {
    return driver.start(features, 2, 8)[1];
  }

  private byte[] sent() {
    StringBuilder all = new StringBuilder();
    driver
        .outputs(Output.ConsoleBytes.class)
        .forEach(o -> all.append(new String(o.data(), US_ASCII)));
    return all.toString().getBytes(US_ASCII);
  }

  @Test
  void aChainIsReadInOrder() {
    Ring ring = transmitRing(0);
    ring.add(
        driver.out("ab".getBytes(US_ASCII)),
        driver.out(new byte[0]),
        driver.out("cde".getBytes(US_ASCII)));
    ring.kick();
    assertThat(sent()).asString().isEqualTo("abcde");
    assertThat(ring.poll()).isEqualTo(new Used(0, 0));
  }

  @Test
  void anIndirectTableIsReadLikeAChain() {
    Ring ring = transmitRing(Features.COMMON);
    ring.indirect = true;
    Buffer[] letters = new Buffer[20];
    for (int i = 0; i < letters.length; i++) {
      letters[i] = driver.out(new byte[] {(byte) ('a' + i)});
    }
    ring.add(letters);
    ring.kick();
    assertThat(sent()).asString().isEqualTo("abcdefghijklmnopqrst");
  }

  @Test
  void theRingWrapsAroundMoreOftenThanItsIndexHasValues() {
    Ring ring = transmitRing(Features.EVENT_IDX);
    Buffer buffer = driver.out(new byte[] {'x'});
    int rounds = 70_000;
    for (int i = 0; i < rounds; i++) {
      ring.add(buffer);
      assertThat(ring.kick()).isTrue();
      assertThat(ring.poll()).isNotNull();
    }
    assertThat(sent()).hasSize(rounds);
  }

  @Test
  void noInterruptIsRaisedWhenTheDriverWantsNone() {
    Ring ring = transmitRing(0);
    ring.suppressInterrupts(true);
    ring.add(driver.out(new byte[1]));
    ring.kick();
    assertThat(driver.irq).isFalse();
    ring.suppressInterrupts(false);
    ring.add(driver.out(new byte[1]));
    ring.kick();
    assertThat(driver.irq).isTrue();
  }

  @Test
  void withEventIndexAnInterruptComesWhenTheUsedIndexPassesTheEvent() {
    Ring ring = transmitRing(Features.EVENT_IDX);
    ring.usedEvent(2);
    for (int i = 0; i < 3; i++) {
      assertThat(driver.irq).as("before request %d", i).isFalse();
      ring.add(driver.out(new byte[1]));
      ring.kick();
    }
    assertThat(driver.irq).isTrue();
    driver.write(0x64, driver.read(0x60));
    ring.add(driver.out(new byte[1]));
    ring.kick();
    assertThat(driver.irq).isFalse();
  }

  @Test
  void theInterruptStaysUntilItIsAcknowledged() {
    Ring ring = transmitRing(0);
    ring.add(driver.out(new byte[1]));
    ring.kick();
    assertThat(driver.read(0x60)).isEqualTo(1);
    driver.write(0x64, 2);
    assertThat(driver.irq).isTrue();
    driver.write(0x64, 1);
    assertThat(driver.irq).isFalse();
    assertThat(driver.read(0x60)).isZero();
  }

  private void assertBroken(Ring ring) {
    int used = ring.usedIndex();
    ring.notifyAlways();
    assertThat(driver.read(0x70) & NEEDS_RESET).isEqualTo(NEEDS_RESET);
    assertThat(driver.read(0x60) & 2).isEqualTo(2);
    assertThat(driver.irq).isTrue();
    ring.notifyAlways();
    assertThat(ring.usedIndex()).isEqualTo(used);
    assertThat(driver.outputs).isEmpty();
    Ring fresh = transmitRing(0);
    fresh.add(driver.out("alive".getBytes(US_ASCII)));
    fresh.kick();
    assertThat(sent()).asString().isEqualTo("alive");
  }

  @Test
  void aLoopOfDescriptorsBreaksTheDeviceUntilReset() {
    Ring ring = transmitRing(0);
    ring.raw(ring.descriptors, GuestRam.BASE, 1, 1, 1);
    ring.raw(ring.descriptors + 16, GuestRam.BASE, 1, 1, 0);
    ring.offer(0);
    assertBroken(ring);
  }

  @Test
  void anIndirectTableInAnIndirectTableBreaksTheDevice() {
    Ring ring = transmitRing(Features.COMMON);
    long table = driver.alloc(32);
    ring.raw(table, table, 16, 4, 0);
    ring.raw(ring.descriptors, table, 16, 4, 0);
    ring.offer(0);
    assertBroken(ring);
  }

  @Test
  void anIndirectTableWithoutNegotiationBreaksTheDevice() {
    Ring ring = transmitRing(0);
    ring.raw(ring.descriptors, GuestRam.BASE, 16, 4, 0);
    ring.offer(0);
    assertBroken(ring);
  }

  @Test
  void anOddIndirectTableBreaksTheDevice() {
    Ring ring = transmitRing(Features.COMMON);
    ring.raw(ring.descriptors, GuestRam.BASE, 17, 4, 0);
    ring.offer(0);
    assertBroken(ring);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1, GuestRam.BASE - 1, GuestRam.BASE + MockDriver.RAM_BYTES - 1})
  void aBufferOutsideOfMemoryBreaksTheDevice(long address) {
    Ring ring = transmitRing(0);
    ring.raw(ring.descriptors, address, 2, 0, 0);
    ring.offer(0);
    assertBroken(ring);
  }

  @Test
  void aHeadBeyondTheTableBreaksTheDevice() {
    Ring ring = transmitRing(0);
    ring.offer(8);
    assertBroken(ring);
  }

  @Test
  void anIndexThatJumpsBreaksTheDevice() {
    Ring ring = transmitRing(0);
    ram().putShort(ring.driverArea + 2, 9);
    assertBroken(ring);
  }

  @Test
  void aReadableBufferAfterAWritableOneBreaksTheDevice() {
    Ring ring = transmitRing(0);
    ring.add(driver.in(4), driver.out(new byte[4]));
    assertBroken(ring);
  }

  private GuestRam ram() {
    return driver.ram;
  }

  @Test
  void aRingOutsideOfMemoryIsNotEnabled() {
    driver.negotiate(0);
    driver.write(0x30, 0);
    driver.write(0x38, 8);
    driver.write(0x44, 1);
    assertThat(driver.read(0x44)).isZero();
    assertThat(driver.read(0x70) & NEEDS_RESET).isEqualTo(NEEDS_RESET);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3, 128, -8, 65536})
  void aRingOfImpossibleSizeIsNotEnabled(int size) {
    driver.negotiate(0);
    driver.write(0x30, 0);
    driver.write(0x38, size);
    for (int area = 0; area < 3; area++) {
      driver.write(0x80 + 0x10 * area, (int) GuestRam.BASE);
    }
    driver.write(0x44, 1);
    assertThat(driver.read(0x44)).isZero();
  }

  @Test
  void savedStateWithARingOutsideOfMemoryIsRefused() {
    transmitRing(0);
    byte[] state = driver.save();
    VirtioMmio smaller =
        VirtioMmio.create(new VirtioSlot.Console(), 0, new GuestRam(4096), l -> {}, o -> {});
    driver.alloc(8192);
    driver.start(0, 2, 64);
    byte[] far = driver.save();
    assertThatThrownBy(() -> smaller.restore(new StateReader(far)))
        .isInstanceOf(StateFormatException.class);
    assertThat(state).isNotEqualTo(far);
  }

  /**
   * Random requests, finished in random order, against a model that knows what each one should
   * bring; saved and restored now and then.
   */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void everyRequestIsAnsweredOnceWithItsOwnData(long seed) {
    Random random = new Random(seed);
    VirtioSlot slot = new VirtioSlot.Entropy();
    MockDriver d = new MockDriver(slot);
    Ring ring = d.start(random.nextBoolean() ? -1 : 0, 1, 1 << random.nextInt(1, 5))[0];
    ring.indirect = random.nextBoolean() && (d.offeredFeatures() & Features.INDIRECT_DESC) != 0;
    if (ring.indirect) {
      ring = d.start(Features.COMMON, 1, 16)[0];
      ring.indirect = true;
    }
    Map<Integer, Buffer[]> open = new HashMap<>();
    Map<Integer, byte[]> expected = new HashMap<>();
    List<Output.EntropyRequest> asked = new ArrayList<>();
    List<Integer> headsInOrder = new ArrayList<>();
    int nextAsked = 0;
    for (int round = 0; round < 2000; round++) {
      int parts = 1 + random.nextInt(3);
      if (ring.free() >= parts && random.nextInt(3) > 0) {
        Buffer[] buffers = new Buffer[parts];
        for (int i = 0; i < parts; i++) {
          buffers[i] = d.in(1 + random.nextInt(40));
        }
        int head = ring.add(buffers);
        open.put(head, buffers);
        headsInOrder.add(head);
        ring.kick();
      }
      List<Output.EntropyRequest> all = d.outputs(Output.EntropyRequest.class);
      asked.addAll(all.subList(nextAsked, all.size()));
      nextAsked = all.size();
      if (!asked.isEmpty() && random.nextBoolean()) {
        Output.EntropyRequest request = asked.remove(random.nextInt(asked.size()));
        byte[] data = new byte[request.length()];
        random.nextBytes(data);
        expected.put(headsInOrder.get((int) request.requestId() - 1), data);
        d.transport.device().apply(new Input.EntropyDelivery(1, request.requestId(), data));
      }
      for (Used used = ring.poll(); used != null; used = ring.poll()) {
        byte[] data = expected.remove(used.head());
        assertThat(used.length()).as("seed %d", seed).isEqualTo(data.length);
        assertThat(concat(d, open.remove(used.head()))).as("seed %d", seed).isEqualTo(data);
      }
      if (random.nextInt(50) == 0) {
        byte[] state = d.save();
        d.restore(state);
        assertThat(d.save()).isEqualTo(state);
      }
    }
    assertThat(headsInOrder.size()).isGreaterThan(100);
    assertThat(open).hasSize(asked.size());
    assertThat(d.read(0x70) & NEEDS_RESET).isZero();
  }

  private static byte[] concat(MockDriver d, Buffer[] buffers) {
    StateWriter all = new StateWriter();
    for (Buffer b : buffers) {
      for (byte x : d.bytes(b)) {
        all.putByte(x);
      }
    }
    return all.toByteArray();
  }
}
