package io.lockstep.vm.device;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.machine.GuestClock;
import org.junit.jupiter.api.Test;

class GoldfishRtcTest {
  private static final long BASE = 1_800_000_000_123_456_789L;

  private long ticks;
  private boolean irq;
  private final GoldfishRtc rtc = new GoldfishRtc(() -> ticks, BASE, level -> irq = level);

  private long now() {
    long low = rtc.read(0, 4);
    return rtc.read(4, 4) << 32 | low;
  }

  @Test
  void itShowsTheBasePlusTheGuestsTime() {
    assertThat(now()).isEqualTo(BASE);
    ticks = 10_000_000;
    assertThat(now()).isEqualTo(BASE + 1_000_000_000);
  }

  @Test
  void theHighHalfBelongsToTheLowHalfThatWasReadBefore() {
    long low = rtc.read(0, 4);
    ticks = 1L << 32;
    assertThat(rtc.read(4, 4) << 32 | low).isEqualTo(BASE);
  }

  @Test
  void itCanBeSet() {
    ticks = 5000;
    rtc.write(4, 4, 0x11);
    rtc.write(0, 4, 0x2222_2222L);
    assertThat(now()).isEqualTo(0x11_2222_2222L);
    ticks += 10;
    assertThat(now()).isEqualTo(0x11_2222_2222L + 1000);
  }

  @Test
  void anAlarmInterruptsWhenItIsDue() {
    assertThat(rtc.alarmTicks()).isEqualTo(GuestClock.NEVER);
    long due = BASE + 1_050;
    rtc.write(0x0c, 4, due >>> 32);
    rtc.write(0x08, 4, due);
    rtc.write(0x10, 4, 1);
    assertThat(rtc.alarmTicks()).isEqualTo(11);
    assertThat(rtc.read(0x18, 4)).isEqualTo(1);
    ticks = 10;
    rtc.checkAlarm();
    assertThat(irq).isFalse();
    ticks = 11;
    rtc.checkAlarm();
    assertThat(irq).isTrue();
    assertThat(rtc.alarmTicks()).isEqualTo(GuestClock.NEVER);
    rtc.write(0x1c, 4, 1);
    assertThat(irq).isFalse();
  }

  @Test
  void savedStateBehavesTheSame() {
    rtc.write(4, 4, 3);
    rtc.read(0, 4);
    rtc.write(0x0c, 4, 9);
    rtc.write(0x08, 4, 9);
    GoldfishRtc other = new GoldfishRtc(() -> ticks, 0, level -> {});
    StateCopy.copy(rtc, other);
    assertThat(other.alarmTicks()).isEqualTo(rtc.alarmTicks());
    assertThat(other.read(4, 4)).isEqualTo(rtc.read(4, 4));
    assertThat(other.read(0, 4)).isEqualTo(rtc.read(0, 4));
  }
}
