package io.lockstep.vm.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.virtio.MockDriver.Ring;
import org.junit.jupiter.api.Test;

class VirtioMmioTest {
  private final MockDriver driver = new MockDriver(new VirtioSlot.Net(0x52_54_00_12_34_56L, true));

  @Test
  void theWindowIntroducesItself() {
    assertThat(driver.read(0x00)).isEqualTo(0x74726976);
    assertThat(driver.read(0x04)).isEqualTo(2);
    assertThat(driver.read(0x08)).isEqualTo(1);
    assertThat(driver.read(0xb0)).isEqualTo(-1);
    assertThat(driver.read(0xfc)).isZero();
  }

  @Test
  void anEmptySlotHasDeviceIdZeroAndKeepsNothing() {
    MockDriver empty = new MockDriver(new VirtioSlot.Empty());
    assertThat(empty.read(0x00)).isEqualTo(0x74726976);
    assertThat(empty.read(0x08)).isZero();
    byte[] before = empty.save();
    for (int register = 0; register < 0x200; register += 4) {
      empty.write(register, 1);
    }
    assertThat(empty.save()).isEqualTo(before);
  }

  @Test
  void featuresThatAreNotOfferedAreRefused() {
    driver.write(0x70, 3);
    driver.write(0x24, 1);
    driver.write(0x20, 2);
    driver.write(0x70, 11);
    assertThat(driver.read(0x70)).isEqualTo(3);
  }

  @Test
  void featuresCannotChangeAfterTheyAreSettled() {
    driver.negotiate(Features.VERSION_1);
    driver.write(0x24, 0);
    driver.write(0x20, -1);
    assertThat(driver.transport.driverFeatures()).isEqualTo(Features.VERSION_1);
  }

  @Test
  void aDriverThatDoesNotAcceptVersion1IsServed() {
    driver.negotiate(0);
    assertThat(driver.read(0x70)).isEqualTo(11);
  }

  @Test
  void theConfigurationSpaceIsReadableInAnySize() {
    assertThat(driver.transport.read(0x100, 1)).isEqualTo(0x52);
    assertThat(driver.transport.read(0x104, 2)).isEqualTo(0x5634);
    assertThat(driver.transport.read(0x100, 4)).isEqualTo(0x12005452L);
    assertThat(driver.transport.read(0x100, 8)).isEqualTo(0x0001_5634_1200_5452L);
    assertThat(driver.transport.read(0xff8, 8)).isZero();
  }

  @Test
  void registersTakeOnlyWholeWords() {
    assertThat(driver.transport.read(0, 1)).isZero();
    driver.transport.write(0x70, 1, 3);
    assertThat(driver.read(0x70)).isZero();
  }

  @Test
  void resetPutsEverythingBack() {
    MockDriver fresh = new MockDriver(new VirtioSlot.Net(0x52_54_00_12_34_56L, true));
    Ring[] rings = driver.start(-1, 2, 16);
    rings[1].add(driver.out(new byte[60]));
    rings[1].kick();
    driver.write(0x70, 0);
    assertThat(driver.irq).isFalse();
    assertThat(driver.save()).isEqualTo(fresh.save());
  }

  @Test
  void nothingHappensBeforeTheDriverIsReady() {
    driver.negotiate(-1);
    driver.new Ring(0, 8);
    Ring ring = driver.new Ring(1, 8);
    ring.add(driver.out(new byte[60]));
    ring.notifyAlways();
    assertThat(driver.outputs).isEmpty();
    driver.driverOk();
    ring.notifyAlways();
    assertThat(driver.outputs).hasSize(1);
  }

  @Test
  void aQueueThatDoesNotExistHasSizeZeroAndIgnoresEverything() {
    for (int queue : new int[] {2, -1, Integer.MIN_VALUE}) {
      driver.write(0x30, queue);
      assertThat(driver.read(0x34)).isZero();
      driver.write(0x44, 1);
      assertThat(driver.read(0x44)).isZero();
      driver.write(0x50, queue);
    }
    assertThat(driver.read(0x70)).isZero();
  }
}
