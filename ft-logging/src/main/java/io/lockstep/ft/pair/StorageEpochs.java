package io.lockstep.ft.pair;

import io.lockstep.ft.protocol.ClaimKind;
import io.lockstep.ft.protocol.ClaimResult;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.ReplicaId;
import io.lockstep.ft.storage.EpochStore;
import io.lockstep.ft.storage.NewestEpoch;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** The epochs of an {@link EpochStore}, which was made for this replica. */
public final class StorageEpochs implements Epochs {
  private final EpochStore store;

  /** Uses a store, which the caller closes. */
  public StorageEpochs(EpochStore store) {
    this.store = store;
  }

  @Override
  public CompletableFuture<ClaimResult> claim(Epoch epoch, ReplicaId self, ClaimKind kind) {
    return store.claim(epoch, kind);
  }

  @Override
  public CompletableFuture<Optional<Owner>> newest() {
    return store
        .newest()
        .thenCompose(
            newest ->
                switch (newest) {
                  case NewestEpoch.Owned(var owner) ->
                      CompletableFuture.completedFuture(
                          Optional.of(new Owner(owner.epoch(), owner.owner(), owner.kind())));
                  case NewestEpoch.NoneYet n -> CompletableFuture.completedFuture(Optional.empty());
                  case NewestEpoch.Unreachable(String why) ->
                      CompletableFuture.failedFuture(new IOException(why));
                });
  }
}
