package io.lockstep.ft.pair;

import io.lockstep.ft.protocol.ClaimKind;
import io.lockstep.ft.protocol.ClaimResult;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.ReplicaId;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** The epochs of one virtual machine on the shared storage, as a replica needs them. */
public interface Epochs {
  /** Who owns an epoch. */
  record Owner(Epoch epoch, ReplicaId replica, ClaimKind kind) {}

  /**
   * Atomic test-and-set; completes within a time limit and never exceptionally. A claim may be
   * repeated.
   */
  CompletableFuture<ClaimResult> claim(Epoch epoch, ReplicaId self, ClaimKind kind);

  /** The newest epoch; completes exceptionally if the storage cannot be reached. */
  CompletableFuture<Optional<Owner>> newest();
}
