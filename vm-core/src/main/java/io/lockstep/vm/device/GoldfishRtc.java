package io.lockstep.vm.device;

import io.lockstep.vm.bus.IrqLine;
import io.lockstep.vm.bus.MmioDevice;
import io.lockstep.vm.machine.GuestClock;
import io.lockstep.vm.machine.TimeSource;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.snapshot.Stateful;

/**
 * The goldfish real-time clock: nanoseconds since 1970 as the guest's clock plus an offset, and one
 * alarm.
 *
 * <p>The alarm needs somebody who knows when time passes: the machine takes {@link #alarmTicks}
 * into account for its next timer and calls {@link #checkAlarm} then.
 *
 * <pre>
 * 0x00 TIME_LOW     reading latches TIME_HIGH; writing sets the clock
 * 0x04 TIME_HIGH
 * 0x08 ALARM_LOW    writing arms the alarm
 * 0x0c ALARM_HIGH
 * 0x10 IRQ_ENABLED
 * 0x14 CLEAR_ALARM
 * 0x18 ALARM_STATUS 1 while armed
 * 0x1c CLEAR_INTERRUPT
 * </pre>
 */
public final class GoldfishRtc implements MmioDevice, Stateful {
  /** Guest physical address of the window. */
  public static final long BASE = 0x10_1000L;

  /** Bytes of the window. */
  public static final long LENGTH = 0x1000L;

  /** Interrupt source at the PLIC. */
  public static final int IRQ = 11;

  private static final int TIME_LOW = 0x00;
  private static final int TIME_HIGH = 0x04;
  private static final int ALARM_LOW = 0x08;
  private static final int ALARM_HIGH = 0x0c;
  private static final int IRQ_ENABLED = 0x10;
  private static final int CLEAR_ALARM = 0x14;
  private static final int ALARM_STATUS = 0x18;
  private static final int CLEAR_INTERRUPT = 0x1c;

  private static final long NANOS_PER_TICK = 100;
  private static final long LOW = 0xffff_ffffL;

  private final TimeSource time;
  private final IrqLine irq;
  private long offsetNanos;
  private long latchedHigh;
  private long alarm;
  private long alarmHigh;
  private boolean armed;
  private boolean enabled;
  private boolean pending;

  /**
   * Makes a clock.
   *
   * @param time the guest's clock
   * @param baseNanos wall clock (ns since 1970) at tick 0
   * @param irq the wire to the PLIC
   */
  public GoldfishRtc(TimeSource time, long baseNanos, IrqLine irq) {
    this.time = time;
    this.irq = irq;
    this.offsetNanos = baseNanos;
  }

  /** The tick at which the alarm is due; {@link GuestClock#NEVER} if it is not armed. */
  public long alarmTicks() {
    if (!armed) {
      return GuestClock.NEVER;
    }
    long wait = alarm - offsetNanos;
    return wait <= 0 ? 0 : Math.ceilDiv(wait, NANOS_PER_TICK);
  }

  /** Raises the alarm's interrupt if it is due. */
  public void checkAlarm() {
    if (armed && time.ticks() >= alarmTicks()) {
      armed = false;
      pending = true;
      update();
    }
  }

  private long now() {
    return offsetNanos + time.ticks() * NANOS_PER_TICK;
  }

  @Override
  public long read(long offset, int size) {
    if (size != 4) {
      return 0;
    }
    return switch ((int) offset) {
      case TIME_LOW -> {
        long now = now();
        latchedHigh = now >>> 32;
        yield now & LOW;
      }
      case TIME_HIGH -> latchedHigh;
      case ALARM_LOW -> alarm & LOW;
      case ALARM_HIGH -> alarm >>> 32;
      case IRQ_ENABLED -> enabled ? 1 : 0;
      case ALARM_STATUS -> {
        checkAlarm();
        yield armed ? 1 : 0;
      }
      default -> 0;
    };
  }

  @Override
  public void write(long offset, int size, long value) {
    if (size != 4) {
      return;
    }
    long v = value & LOW;
    switch ((int) offset) {
      case TIME_LOW -> offsetNanos += (now() & ~LOW | v) - now();
      case TIME_HIGH -> offsetNanos += (now() & LOW | v << 32) - now();
      case ALARM_LOW -> {
        alarm = alarmHigh << 32 | v;
        armed = true;
        checkAlarm();
      }
      case ALARM_HIGH -> alarmHigh = v;
      case IRQ_ENABLED -> {
        enabled = (v & 1) != 0;
        update();
      }
      case CLEAR_ALARM -> armed = false;
      case CLEAR_INTERRUPT -> {
        pending = false;
        update();
      }
      default -> {
        // Read-only or reserved.
      }
    }
  }

  private void update() {
    irq.set(enabled && pending);
  }

  @Override
  public void save(StateWriter out) {
    out.section("rtc").putLong(offsetNanos).putLong(latchedHigh).putLong(alarm).putLong(alarmHigh);
    out.putBoolean(armed).putBoolean(enabled).putBoolean(pending);
  }

  @Override
  public void restore(StateReader in) {
    in.section("rtc");
    offsetNanos = in.getLong();
    latchedHigh = in.getLong() & LOW;
    alarm = in.getLong();
    alarmHigh = in.getLong() & LOW;
    armed = in.getBoolean();
    enabled = in.getBoolean();
    pending = in.getBoolean();
    update();
  }
}
