package io.lockstep.host.vm;

import java.io.IOException;
import java.io.InputStream;

/** The small guest that comes with Lockstep. */
public final class BuiltInGuest {
  /** Memory that it gets unless the user says otherwise. */
  public static final long MEMORY_BYTES = 64L << 20;

  private static final String RESOURCE = "/io/lockstep/vm/guest/small.elf";

  private BuiltInGuest() {}

  /** Whether this build has it. */
  public static boolean isPresent() {
    return BuiltInGuest.class.getResource(RESOURCE) != null;
  }

  /** The guest as an ELF file. */
  static byte[] elf() throws SetupException {
    try (InputStream in = BuiltInGuest.class.getResourceAsStream(RESOURCE)) {
      if (in == null) {
        throw new SetupException(
            "There is nothing to start: give --kernel FILE, --firmware FILE or --image DIR.");
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new SetupException("The built-in guest cannot be read; build Lockstep again.", e);
    }
  }
}
