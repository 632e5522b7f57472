package io.lockstep.vm.device;

import io.lockstep.vm.bus.MmioDevice;
import io.lockstep.vm.machine.VirtualMachine.Power;
import java.util.function.Consumer;

/**
 * The SiFive test device, by which a guest ends itself: one write-only register at offset 0 with a
 * command in the low 16 bits. It has no state.
 *
 * <pre>
 * 0x5555 power off | 0x7777 reboot | code << 16 | 0x3333 power off and report a failure
 * </pre>
 */
public final class SysconPower implements MmioDevice {
  /** Guest physical address of the window. */
  public static final long BASE = 0x10_0000L;

  /** Bytes of the window. */
  public static final long LENGTH = 0x1000L;

  /** The command that powers off, as the device tree names it. */
  public static final int POWER_OFF = 0x5555;

  /** The command that reboots, as the device tree names it. */
  public static final int REBOOT = 0x7777;

  private static final int FAIL = 0x3333;

  private final Consumer<Power> power;

  /** Makes one that tells {@code power} what the guest wants. */
  public SysconPower(Consumer<Power> power) {
    this.power = power;
  }

  @Override
  public long read(long offset, int size) {
    return 0;
  }

  @Override
  public void write(long offset, int size, long value) {
    if (offset != 0 || size < 2) {
      return;
    }
    switch ((int) value & 0xffff) {
      case POWER_OFF -> power.accept(Power.OFF);
      case REBOOT -> power.accept(Power.REBOOT);
      case FAIL -> power.accept(Power.FAILED);
      default -> {
        // Not a command.
      }
    }
  }
}
