package io.lockstep.vm.device;

/**
 * The machine's power button: an interrupt without registers, which the device tree describes as a
 * key. A guest that listens shuts itself down; Linux does with its {@code gpio_keys} driver and
 * somebody who reacts to the power key, such as systemd-logind. It has no state of its own.
 */
public final class PowerButton {
  /** Interrupt source at the PLIC. */
  public static final int IRQ = 12;

  private final Plic plic;

  /** Connects the button. */
  public PowerButton(Plic plic) {
    this.plic = plic;
  }

  /** A short press. */
  public void press() {
    plic.pulse(IRQ);
  }
}
