package io.lockstep.vm.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Input.BlockStatus;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.virtio.MockDriver.Ring;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Guests that write anything anywhere: no exception, bounded outputs, and a reset always makes the
 * device usable again.
 */
class HostileGuestTest {
  /** Small, so that rings, tables and buffers often overlap. */
  private static final int RAM = 64 << 10;

  private static final int RUNS = 60;
  private static final int ACTIONS = 400;

  /**
   * A doorbell takes at most as many requests as the ring has entries, and each is one output or
   * few.
   */
  private static final int OUTPUTS_PER_ACTION_MAX = 1024;

  static List<VirtioSlot> slots() {
    return List.of(
        new VirtioSlot.Block(1000, false, "serial"),
        new VirtioSlot.Block(1L << 40, true, "large"),
        new VirtioSlot.Net(42, true),
        new VirtioSlot.Console(),
        new VirtioSlot.Entropy(),
        new VirtioSlot.Empty());
  }

  @ParameterizedTest
  @MethodSource("slots")
  void randomRegistersNeverHurt(VirtioSlot slot) {
    for (long seed = 0; seed < RUNS; seed++) {
      Random random = new Random(seed);
      MockDriver driver = new MockDriver(slot, new GuestRam(RAM));
      for (int i = 0; i < ACTIONS; i++) {
        int size = 1 << random.nextInt(4);
        long offset = (long) random.nextInt(random.nextBoolean() ? 0x200 : 0x1000) & -size;
        if (random.nextBoolean()) {
          driver.transport.read(offset, size);
        } else {
          driver.transport.write(offset, size, value(random));
        }
        input(driver, random);
      }
      assertUsableAfterReset(driver, slot, seed);
    }
  }

  @ParameterizedTest
  @MethodSource("slots")
  void randomRingsNeverHurt(VirtioSlot slot) {
    if (slot instanceof VirtioSlot.Empty) {
      return;
    }
    int emitted = 0;
    int resets = 0;
    for (long seed = 0; seed < RUNS; seed++) {
      Random random = new Random(seed);
      MockDriver driver = new MockDriver(slot, new GuestRam(RAM));
      int queues = queues(slot);
      Ring[] rings = start(driver, random, queues);
      for (int i = 0; i < ACTIONS; i++) {
        Ring ring = rings[random.nextInt(queues)];
        disturb(driver, ring, random);
        int before = driver.outputs.size();
        ring.notifyAlways();
        input(driver, random);
        emitted += driver.outputs.size() - before;
        assertThat(driver.outputs.size() - before)
            .as("seed %d", seed)
            .isLessThanOrEqualTo(OUTPUTS_PER_ACTION_MAX);
        if (driver.outputs.size() > 2000) {
          driver.outputs.clear();
        }
        if (random.nextInt(40) == 0) {
          byte[] state = driver.save();
          driver.restore(state);
          assertThat(driver.save()).as("seed %d", seed).isEqualTo(state);
          driver.transport.device().reissue(output -> {});
        }
        if ((driver.read(0x70) & 64) != 0) {
          rings = start(driver, random, queues);
          resets++;
        }
      }
      assertUsableAfterReset(driver, slot, seed);
    }
    // The noise is worth something only if it gets through to the device and also breaks it.
    assertThat(emitted).isGreaterThan(RUNS);
    assertThat(resets).isGreaterThan(RUNS);
  }

  private static int queues(VirtioSlot slot) {
    return slot instanceof VirtioSlot.Block || slot instanceof VirtioSlot.Entropy ? 1 : 2;
  }

  /** Rings at random places that may overlap. */
  private static Ring[] start(MockDriver driver, Random random, int queues) {
    MockDriver layout = driver;
    layout.resetAllocator(GuestRam.BASE + 64L * random.nextInt(RAM / 2 / 64));
    return layout.start(
        random.nextBoolean() ? -1 : random.nextLong(), queues, 1 << random.nextInt(5));
  }

  /**
   * Plausible requests most of the time, so that noise gets deep into the device; sometimes
   * anything.
   */
  private static void disturb(MockDriver driver, Ring ring, Random random) {
    switch (random.nextInt(30)) {
      case 0 -> driver.ram.putShort(ring.driverArea + 2, random.nextInt(0x10000));
      case 1 -> driver.ram.putInt(GuestRam.BASE + 4L * random.nextInt(RAM / 4), random.nextInt());
      case 2 -> descriptor(ring, GuestRam.BASE + 16L * random.nextInt(RAM / 16), random);
      case 3 -> descriptor(ring, ring.descriptors + 16L * random.nextInt(ring.size), random);
      default -> {
        // Nothing broken this time.
      }
    }
    int offers = random.nextInt(3);
    for (int i = 0; i < offers; i++) {
      ring.offer(plausible(driver, ring, random));
    }
    if (random.nextInt(100) == 0) {
      ring.offer(random.nextInt(0x10000));
    }
  }

  /** Writes a chain over descriptors that may be in use, and returns its head. */
  private static int plausible(MockDriver driver, Ring ring, Random random) {
    int count = 1 + random.nextInt(Math.min(ring.size, 5));
    int first = random.nextInt(ring.size - count + 1);
    int writableFrom = random.nextInt(count + 1);
    for (int i = 0; i < count; i++) {
      long address = GuestRam.BASE + RAM / 2 + 16L * random.nextInt(RAM / 64);
      int length = random.nextInt(4) == 0 ? random.nextInt(RAM / 4) : 512 * random.nextInt(5);
      if (i == 0 && i < writableFrom) {
        length = random.nextInt(4) == 0 ? random.nextInt(40) : 16;
        driver.ram.putInt(address, random.nextInt(15));
        driver.ram.putLong(address + 8, random.nextInt(1200));
      }
      if (i == count - 1 && i >= writableFrom) {
        length |= 1;
      }
      int flags = (i + 1 < count ? 1 : 0) | (i >= writableFrom ? 2 : 0);
      ring.raw(ring.descriptors + 16L * (first + i), address, length, flags, first + i + 1);
    }
    return first;
  }

  private static void descriptor(Ring ring, long at, Random random) {
    long address =
        random.nextInt(4) == 0 ? random.nextLong() : GuestRam.BASE + (long) random.nextInt(RAM / 2);
    int length = random.nextInt(4) == 0 ? random.nextInt() : 16 * random.nextInt(40);
    ring.raw(at, address & -16, length, flags(random), random.nextInt(ring.size));
  }

  private static int flags(Random random) {
    int flags = random.nextInt(4);
    return random.nextBoolean() ? flags | 4 : flags;
  }

  private static long value(Random random) {
    return switch (random.nextInt(4)) {
      case 0 -> random.nextInt(16);
      case 1 -> GuestRam.BASE + (long) random.nextInt(RAM);
      case 2 -> 1L << random.nextInt(64);
      default -> random.nextLong();
    };
  }

  private static void input(MockDriver driver, Random random) {
    byte[] data = new byte[random.nextInt(3) == 0 ? 512 : random.nextInt(3000)];
    random.nextBytes(data);
    long id = 1L + random.nextInt(Math.max(1, driver.outputs.size()));
    if (!driver.outputs.isEmpty()
        && driver.outputs.get(random.nextInt(driver.outputs.size()))
            instanceof Output.BlockRequest r) {
      id = r.requestId();
      data = new byte[r.op() == Output.BlockOp.READ ? (int) r.length() : 0];
    }
    BlockStatus status = BlockStatus.values()[random.nextInt(3)];
    Input input =
        switch (random.nextInt(4)) {
          case 0 -> new Input.BlockCompletion(1, id, status, data);
          case 1 -> new Input.PacketArrival(1, data);
          case 2 -> new Input.EntropyDelivery(1, id, data);
          default -> new Input.ConsoleInput(1, data);
        };
    driver.transport.device().apply(input);
  }

  private static void assertUsableAfterReset(MockDriver driver, VirtioSlot slot, long seed) {
    if (slot instanceof VirtioSlot.Empty) {
      assertThat(driver.read(0x70)).isZero();
      return;
    }
    driver.outputs.clear();
    driver.resetAllocator(GuestRam.BASE);
    driver.ram.zero(GuestRam.BASE, RAM);
    Ring ring =
        driver.start(-1, queues(slot), 16)[slot instanceof VirtioSlot.Block ? 0 : queues(slot) - 1];
    switch (slot) {
      case VirtioSlot.Block b ->
          ring.add(
              driver.out(new byte[] {4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
              driver.in(1));
      case VirtioSlot.Entropy e -> ring.add(driver.in(64));
      default -> ring.add(driver.out(new byte[100]));
    }
    assertThat(ring.kick()).isTrue();
    assertThat(driver.outputs).as("seed %d", seed).hasSize(1);
    assertThat(driver.read(0x70)).isEqualTo(15);
  }
}
