package io.lockstep.host.vm;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;

/**
 * Whether this host has enough memory for a guest. Guest memory costs only what the guest touches,
 * so systems give out more than there is; a guest that cannot ever have all of its memory is
 * refused at its start, instead of being killed when it uses it.
 */
final class HostLimits {
  /** Not worth asking: that takes longer than starting a small guest. */
  private static final long MODEST_BYTES = 1L << 30;

  private HostLimits() {}

  /**
   * Refuses a guest that is larger than the host, or the container that it is in.
   *
   * @throws SetupException with a sentence for the user
   */
  static void check(long guestBytes) throws SetupException {
    if (guestBytes > MODEST_BYTES && guestBytes > hostBytes()) {
      throw tooMuch(guestBytes, null);
    }
  }

  /** What the user is told when there is not enough. */
  static SetupException tooMuch(long guestBytes, Throwable cause) {
    return new SetupException(
        ("This host has not enough memory for a guest with %d MiB (it has %d MiB, in use or not);"
                + " give the guest less with --memory.")
            .formatted(guestBytes >> 20, hostBytes() >> 20),
        cause);
  }

  private static long hostBytes() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
  }
}
