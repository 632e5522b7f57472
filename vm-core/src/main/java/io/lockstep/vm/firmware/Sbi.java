package io.lockstep.vm.firmware;

import io.lockstep.vm.machine.VirtualMachine.Power;
import io.lockstep.vm.memory.GuestRam;

/**
 * The supervisor binary interface, version 2.0, answered by the machine itself: what a kernel in
 * S-mode calls with ECALL instead of firmware. There is one hart, number 0, so what concerns other
 * harts is either about this one or an error. Has no state.
 *
 * <p>Calling convention (SBI §3): a7 extension, a6 function, a0 to a5 arguments; a0 error and a1
 * value on return. The legacy extensions 0 to 8 (§5) return in a0 only.
 */
public final class Sbi {
  /**
   * The most bytes that one console write takes; the kernel writes the rest with its next call
   * (§12.1).
   */
  public static final int CONSOLE_WRITE_MAX = 4096;

  /** Version 2.0. */
  private static final long SPEC_VERSION = 2L << 24;

  /** Ours; not a registered number. */
  private static final long IMPLEMENTATION_ID = 0x4c53;

  private static final long IMPLEMENTATION_VERSION = 1;

  private static final int EXT_BASE = 0x10;
  private static final int EXT_TIME = 0x5449_4d45;
  private static final int EXT_IPI = 0x73_5049;
  private static final int EXT_RFENCE = 0x5246_4e43;
  private static final int EXT_HSM = 0x48_534d;
  private static final int EXT_SRST = 0x5352_5354;
  private static final int EXT_DBCN = 0x4442_434e;

  private static final int LEGACY_SET_TIMER = 0;
  private static final int LEGACY_PUTCHAR = 1;
  private static final int LEGACY_GETCHAR = 2;
  private static final int LEGACY_CLEAR_IPI = 3;
  private static final int LEGACY_SEND_IPI = 4;
  private static final int LEGACY_FENCE_I = 5;
  private static final int LEGACY_SFENCE = 6;
  private static final int LEGACY_SFENCE_ASID = 7;
  private static final int LEGACY_SHUTDOWN = 8;

  private static final long SUCCESS = 0;
  private static final long ERR_NOT_SUPPORTED = -2;
  private static final long ERR_INVALID_PARAM = -3;
  private static final long ERR_ALREADY_AVAILABLE = -6;

  private static final long HART_STARTED = 0;
  private static final long SUSPEND_RETENTIVE = 0;
  private static final long SUSPEND_NON_RETENTIVE = 0x8000_0000L;

  private static final int A0 = 10;
  private static final int A1 = 11;
  private static final int A2 = 12;
  private static final int A6 = 16;
  private static final int A7 = 17;

  private final SbiHart hart;
  private final GuestRam ram;

  /** Makes the SBI of a hart. */
  public Sbi(SbiHart hart, GuestRam ram) {
    this.hart = hart;
    this.ram = ram;
  }

  /**
   * Answers the ECALL that the hart has just executed in S-mode. The caller moves the pc behind it.
   */
  public void call() {
    // Extension and function ids are 32 bits wide (§3).
    int extension = (int) hart.getReg(A7);
    int function = (int) hart.getReg(A6);
    switch (extension) {
      case EXT_BASE -> base(function);
      case EXT_TIME -> time(function);
      case EXT_IPI -> ipi(function);
      case EXT_RFENCE -> remoteFence(function);
      case EXT_HSM -> hartState(function);
      case EXT_SRST -> systemReset(function);
      case EXT_DBCN -> debugConsole(function);
      default -> {
        if (isLegacy(extension)) {
          hart.setReg(A0, legacy(extension));
        } else {
          answer(ERR_NOT_SUPPORTED, 0);
        }
      }
    }
  }

  private static boolean isLegacy(int extension) {
    return extension >= LEGACY_SET_TIMER && extension <= LEGACY_SHUTDOWN;
  }

  /** SBI §4. */
  private void base(int function) {
    switch (function) {
      case 0 -> answer(SUCCESS, SPEC_VERSION);
      case 1 -> answer(SUCCESS, IMPLEMENTATION_ID);
      case 2 -> answer(SUCCESS, IMPLEMENTATION_VERSION);
      case 3 -> answer(SUCCESS, exists((int) hart.getReg(A0)) ? 1 : 0);
      case 4, 5, 6 -> answer(SUCCESS, 0);
      default -> answer(ERR_NOT_SUPPORTED, 0);
    }
  }

  private static boolean exists(int extension) {
    return switch (extension) {
      case EXT_BASE, EXT_TIME, EXT_IPI, EXT_RFENCE, EXT_HSM, EXT_SRST, EXT_DBCN -> true;
      default -> isLegacy(extension);
    };
  }

  /** SBI §6. */
  private void time(int function) {
    if (function != 0) {
      answer(ERR_NOT_SUPPORTED, 0);
      return;
    }
    hart.setTimer(hart.getReg(A0));
    answer(SUCCESS, 0);
  }

  /** SBI §7. */
  private void ipi(int function) {
    forHarts(function == 0, () -> hart.setSoftwareInterrupt(true));
  }

  /**
   * SBI §8. Ranges and address spaces are not told apart: everything is flushed. The fences of a
   * hypervisor (3 to 6) have no hypervisor.
   */
  private void remoteFence(int function) {
    boolean supported = function >= 0 && function <= 2;
    forHarts(supported, function == 0 ? hart::fenceI : hart::flushTlb);
  }

  /** Does what a mask of harts asks for, if this hart is among them, and answers. */
  private void forHarts(boolean supported, Runnable action) {
    if (!supported) {
      answer(ERR_NOT_SUPPORTED, 0);
      return;
    }
    if (maskIsBad()) {
      answer(ERR_INVALID_PARAM, 0);
      return;
    }
    if (maskHasThisHart()) {
      action.run();
    }
    answer(SUCCESS, 0);
  }

  /** §3.1: a0 is a mask of harts counted from a1; a1 of all ones means all harts. */
  private boolean maskHasThisHart() {
    long base = hart.getReg(A1);
    return base == -1 || base == 0 && (hart.getReg(A0) & 1) != 0;
  }

  private boolean maskIsBad() {
    long mask = hart.getReg(A0);
    long base = hart.getReg(A1);
    return base != -1 && (base == 0 ? (mask & ~1L) != 0 : mask != 0);
  }

  /** SBI §9. */
  private void hartState(int function) {
    switch (function) {
      case 0 -> answer(hart.getReg(A0) == 0 ? ERR_ALREADY_AVAILABLE : ERR_INVALID_PARAM, 0);
      case 1 -> hart.power(Power.OFF);
      case 2 -> answer(hart.getReg(A0) == 0 ? SUCCESS : ERR_INVALID_PARAM, HART_STARTED);
      case 3 -> suspend(hart.getReg(A0) & 0xffff_ffffL);
      default -> answer(ERR_NOT_SUPPORTED, 0);
    }
  }

  private void suspend(long type) {
    if (type == SUSPEND_RETENTIVE) {
      answer(SUCCESS, 0);
      hart.waitForInterrupt();
    } else {
      answer(type == SUSPEND_NON_RETENTIVE ? ERR_NOT_SUPPORTED : ERR_INVALID_PARAM, 0);
    }
  }

  /** SBI §10: type 0 shutdown, 1 and 2 reboots; reason 1 is a failure of the system. */
  private void systemReset(int function) {
    long type = hart.getReg(A0) & 0xffff_ffffL;
    long reason = hart.getReg(A1) & 0xffff_ffffL;
    if (function != 0) {
      answer(ERR_NOT_SUPPORTED, 0);
    } else if (type > 2 || reason > 1) {
      answer(ERR_INVALID_PARAM, 0);
    } else if (type == 0) {
      hart.power(reason == 0 ? Power.OFF : Power.FAILED);
    } else {
      hart.power(Power.REBOOT);
    }
  }

  /** SBI §12. What is typed belongs to the UART, so there is never anything to read here. */
  private void debugConsole(int function) {
    switch (function) {
      case 0 -> consoleWrite();
      case 1 -> answer(consoleRange() ? SUCCESS : ERR_INVALID_PARAM, 0);
      case 2 -> {
        hart.consoleWrite(new byte[] {(byte) hart.getReg(A0)});
        answer(SUCCESS, 0);
      }
      default -> answer(ERR_NOT_SUPPORTED, 0);
    }
  }

  private void consoleWrite() {
    if (!consoleRange()) {
      answer(ERR_INVALID_PARAM, 0);
      return;
    }
    byte[] data = new byte[(int) Math.min(hart.getReg(A0), CONSOLE_WRITE_MAX)];
    if (data.length > 0) {
      ram.read(hart.getReg(A1), data, 0, data.length);
      hart.consoleWrite(data);
    }
    answer(SUCCESS, data.length);
  }

  /** Whether a0 bytes at the physical address in a1 (low) and a2 (high) are RAM. */
  private boolean consoleRange() {
    return hart.getReg(A2) == 0 && ram.contains(hart.getReg(A1), hart.getReg(A0));
  }

  /**
   * SBI §5. The hart masks of the legacy calls lie in virtual memory and could only name hart 0, so
   * they are not read.
   *
   * @return what goes into a0
   */
  private long legacy(int extension) {
    switch (extension) {
      case LEGACY_SET_TIMER -> hart.setTimer(hart.getReg(A0));
      case LEGACY_PUTCHAR -> hart.consoleWrite(new byte[] {(byte) hart.getReg(A0)});
      case LEGACY_GETCHAR -> {
        return -1;
      }
      case LEGACY_CLEAR_IPI -> hart.setSoftwareInterrupt(false);
      case LEGACY_SEND_IPI -> hart.setSoftwareInterrupt(true);
      case LEGACY_FENCE_I -> hart.fenceI();
      case LEGACY_SFENCE, LEGACY_SFENCE_ASID -> hart.flushTlb();
      default -> hart.power(Power.OFF);
    }
    return SUCCESS;
  }

  private void answer(long error, long value) {
    hart.setReg(A0, error);
    hart.setReg(A1, value);
  }
}
