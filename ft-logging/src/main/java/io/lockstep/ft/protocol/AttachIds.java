package io.lockstep.ft.protocol;

/**
 * Attaches are numbered within an epoch; only the epoch's owner makes numbers, so they are unique
 * for a virtual machine.
 */
final class AttachIds {
  private static final int COUNTER_BITS = 20;

  private AttachIds() {}

  /** The {@code n}th attach under an epoch; 0 is the one that a switch-over makes. */
  static long of(Epoch epoch, int n) {
    return epoch.number() << COUNTER_BITS | (n & (1 << COUNTER_BITS) - 1);
  }
}
