package io.lockstep.vm.firmware;

import io.lockstep.vm.machine.VirtualMachine.Power;

/** What the built-in SBI needs of the hart that called it. */
public interface SbiHart {
  /** An integer register, x0 to x31 (a0 is x10). */
  long getReg(int index);

  /** Sets an integer register. */
  void setReg(int index, long value);

  /**
   * Arms the supervisor timer: its interrupt is pending from {@code ticks} (unsigned) on, and not
   * before; all ones disarm it.
   */
  void setTimer(long ticks);

  /** Raises or clears the supervisor software interrupt (SSIP). */
  void setSoftwareInterrupt(boolean pending);

  /** Drops all cached translations, like SFENCE.VMA without operands. */
  void flushTlb();

  /** Like FENCE.I. */
  void fenceI();

  /** Ends the machine after this step. */
  void power(Power state);

  /** Waits for an interrupt after this step, like WFI. */
  void waitForInterrupt();

  /** Sends bytes to the console of the board, one or more. */
  void consoleWrite(byte[] data);
}
