package io.lockstep.ft.protocol;

import java.util.UUID;

/**
 * Names one process that holds a replica of a virtual machine. Drawn at random when it starts;
 * never used again.
 */
public record ReplicaId(UUID value) {
  /** Nobody. */
  public static final ReplicaId NONE = new ReplicaId(new UUID(0, 0));

  @Override
  public String toString() {
    return value.toString();
  }
}
