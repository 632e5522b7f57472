package io.lockstep.vm;

/** The version of Lockstep that this code belongs to. */
public final class Version {
  /** As users see it: {@code major.minor.patch}, with a suffix on unreleased code. */
  public static final String LOCKSTEP = "0.1.0-SNAPSHOT";

  private Version() {}
}
