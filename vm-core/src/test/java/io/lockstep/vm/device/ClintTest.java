package io.lockstep.vm.device;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ClintTest {
  private boolean software;
  private int changes;
  private final Clint clint =
      new Clint(() -> 0x1234_5678_9abc_def0L, level -> software = level, () -> changes++);

  @Test
  void theTimerIsUnarmedAfterReset() {
    assertThat(clint.mtimecmp()).isEqualTo(-1);
  }

  @Test
  void theSoftwareInterruptIsOneBit() {
    clint.write(0, 4, -1);
    assertThat(software).isTrue();
    assertThat(clint.read(0, 4)).isEqualTo(1);
    clint.write(0, 4, 2);
    assertThat(software).isFalse();
  }

  @Test
  void theCompareValueIsWrittenWholeOrInHalves() {
    clint.write(0x4000, 8, 0x1111_2222_3333_4444L);
    assertThat(clint.mtimecmp()).isEqualTo(0x1111_2222_3333_4444L);
    clint.write(0x4000, 4, 0xdead_beef_0000_0001L);
    assertThat(clint.mtimecmp()).isEqualTo(0x1111_2222_0000_0001L);
    clint.write(0x4004, 4, 2);
    assertThat(clint.mtimecmp()).isEqualTo(0x2_0000_0001L);
    assertThat(clint.read(0x4000, 8)).isEqualTo(0x2_0000_0001L);
    assertThat(clint.read(0x4004, 4)).isEqualTo(2);
    assertThat(changes).isEqualTo(3);
  }

  @Test
  void timeIsShownAndCannotBeSet() {
    clint.write(0xbff8, 8, 1);
    assertThat(clint.read(0xbff8, 8)).isEqualTo(0x1234_5678_9abc_def0L);
    assertThat(clint.read(0xbffc, 4)).isEqualTo(0x1234_5678L);
  }

  @Test
  void savedStateBehavesTheSame() {
    clint.write(0, 4, 1);
    clint.write(0x4000, 8, 77);
    boolean[] line = new boolean[1];
    Clint other = new Clint(() -> 0, level -> line[0] = level, () -> {});
    StateCopy.copy(clint, other);
    assertThat(other.mtimecmp()).isEqualTo(77);
    assertThat(line[0]).isTrue();
  }
}
