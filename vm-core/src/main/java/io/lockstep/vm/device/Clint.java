package io.lockstep.vm.device;

import io.lockstep.vm.bus.IrqLine;
import io.lockstep.vm.bus.MmioDevice;
import io.lockstep.vm.machine.TimeSource;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.snapshot.Stateful;

/**
 * The core-local interruptor of hart 0 (RISC-V ACLINT: MSWI and MTIMER in the classic CLINT
 * layout). It keeps {@code mtimecmp}; the comparison with the clock is made by the hart, which
 * knows when time passes.
 *
 * <pre>
 * 0x0000 msip       bit 0
 * 0x4000 mtimecmp   64 bits
 * 0xbff8 mtime      64 bits, read-only here
 * </pre>
 *
 * <p>Writes to {@code mtime} are ignored: time is an input of the machine and never jumps because a
 * guest says so. Firmware only writes it to synchronize harts, and there is one.
 */
public final class Clint implements MmioDevice, Stateful {
  /** Guest physical address of the window. */
  public static final long BASE = 0x0200_0000L;

  /** Bytes of the window. */
  public static final long LENGTH = 0x1_0000L;

  private static final int MSIP = 0x0000;
  private static final int MTIMECMP = 0x4000;
  private static final int MTIME = 0xbff8;
  private static final long LOW = 0xffff_ffffL;

  /** Told after each write to {@code mtimecmp}. */
  @FunctionalInterface
  public interface TimerListener {
    /** {@link Clint#mtimecmp} has a new value. */
    void mtimecmpChanged();
  }

  private final TimeSource time;
  private final IrqLine machineSoftware;
  private final TimerListener listener;
  private boolean msip;
  private long mtimecmp = -1;

  /**
   * Makes one with no interrupt pending and the timer unarmed.
   *
   * @param time the clock to show
   * @param machineSoftware the hart's MSIP
   * @param listener told when {@code mtimecmp} changes
   */
  public Clint(TimeSource time, IrqLine machineSoftware, TimerListener listener) {
    this.time = time;
    this.machineSoftware = machineSoftware;
    this.listener = listener;
  }

  /**
   * The tick, unsigned, from which on the machine timer interrupt is pending; all ones after reset.
   */
  public long mtimecmp() {
    return mtimecmp;
  }

  @Override
  public long read(long offset, int size) {
    if (size < 4) {
      return 0;
    }
    int at = (int) offset;
    return switch (at) {
      case MSIP -> msip ? 1 : 0;
      case MTIMECMP -> mtimecmp;
      case MTIMECMP + 4 -> mtimecmp >>> 32;
      case MTIME -> time.ticks();
      case MTIME + 4 -> time.ticks() >>> 32;
      default -> 0;
    };
  }

  @Override
  public void write(long offset, int size, long value) {
    if (size < 4) {
      return;
    }
    switch ((int) offset) {
      case MSIP -> {
        msip = (value & 1) != 0;
        machineSoftware.set(msip);
      }
      case MTIMECMP -> setCompare(size == 8 ? value : mtimecmp & ~LOW | value & LOW);
      case MTIMECMP + 4 -> setCompare(mtimecmp & LOW | value << 32);
      default -> {
        // mtime and reserved registers.
      }
    }
  }

  private void setCompare(long value) {
    mtimecmp = value;
    listener.mtimecmpChanged();
  }

  @Override
  public void save(StateWriter out) {
    out.section("clint").putBoolean(msip).putLong(mtimecmp);
  }

  @Override
  public void restore(StateReader in) {
    in.section("clint");
    msip = in.getBoolean();
    mtimecmp = in.getLong();
    machineSoftware.set(msip);
    listener.mtimecmpChanged();
  }
}
