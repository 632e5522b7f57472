package io.lockstep.ft.protocol;

/** How the test-and-set of an epoch ended. */
public sealed interface ClaimResult {
  /** The epoch is ours, perhaps by an earlier attempt whose answer was lost. */
  record Won() implements ClaimResult {}

  /** The epoch belongs to another. */
  record Lost(ReplicaId owner, ClaimKind kind) implements ClaimResult {}

  /**
   * The storage gave no answer. The claim may or may not have taken place.
   *
   * @param why a clause for a person
   */
  record Unknown(String why) implements ClaimResult {}
}
