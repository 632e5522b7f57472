package io.lockstep.host.vm;

/** What starts when the user names nothing else: {@link io.lockstep.vm.guest.SmallGuest}. */
public final class BuiltInGuest {
  /** Memory that it gets unless the user says otherwise. */
  public static final long MEMORY_BYTES = 64L << 20;

  private BuiltInGuest() {}
}
