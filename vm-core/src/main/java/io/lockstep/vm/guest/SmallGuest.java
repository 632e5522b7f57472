package io.lockstep.vm.guest;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/**
 * The small guest: an RV64GC supervisor program that boots in milliseconds and serves a durable
 * counter and ledger over TCP and UDP. Protocol and command line are described in {@code
 * docs/small-guest.md}; the sources are in {@code vm-core/src/guest/small}.
 */
public final class SmallGuest {
  /** TCP and UDP port of its service. */
  public static final int PORT = 7000;

  /** Its IPv4 address unless the command line says otherwise ({@code ip=}). */
  public static final String DEFAULT_ADDRESS = "10.0.2.15";

  /** The smallest disk, in bytes, that it keeps its journal on; it ignores a smaller one. */
  public static final long DISK_BYTES_MIN = 1 << 20;

  /** RAM, in bytes, that it boots in; {@code dirty_kb=} has use for more. */
  public static final long RAM_BYTES_MIN = 16 << 20;

  private static final String RESOURCE = "small.elf";

  private SmallGuest() {}

  /**
   * The guest as an ELF file, to be started like a Linux kernel: in S-mode, a0 = hart, a1 = device
   * tree.
   *
   * @return a fresh copy
   * @throws IllegalStateException if this build lacks the resource
   */
  public static byte[] elf() {
    try (InputStream in = SmallGuest.class.getResourceAsStream(RESOURCE)) {
      if (in == null) {
        throw new IllegalStateException(
            "The resource " + RESOURCE + " is missing from this build; build vm-core again.");
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
