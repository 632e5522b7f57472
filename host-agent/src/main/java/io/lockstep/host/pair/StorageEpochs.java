package io.lockstep.host.pair;

import io.lockstep.ft.pair.Epochs;
import io.lockstep.ft.protocol.ClaimKind;
import io.lockstep.ft.protocol.ClaimResult;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.ReplicaId;
import io.lockstep.ft.storage.EpochStore;
import io.lockstep.ft.storage.NewestEpoch;
import io.lockstep.ft.storage.StorageDirectory;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/** The epochs in a storage directory, for one replica. */
public final class StorageEpochs implements Epochs, AutoCloseable {
  private static final Duration TIME_LIMIT = Duration.ofSeconds(2);

  private final EpochStore store;

  /** The epochs of the machine that the storage is for. */
  public StorageEpochs(StorageDirectory storage, ReplicaId self) {
    this(new EpochStore(storage, self, hostName(), TIME_LIMIT));
  }

  /** The epochs of a store, which was made for this replica. */
  StorageEpochs(EpochStore store) {
    this.store = store;
  }

  /** The store behind them. */
  public EpochStore store() {
    return store;
  }

  private static String hostName() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return "localhost";
    }
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
                  case NewestEpoch.Owned o ->
                      CompletableFuture.completedFuture(
                          Optional.of(
                              new Owner(o.owner().epoch(), o.owner().owner(), o.owner().kind())));
                  case NewestEpoch.NoneYet _ -> CompletableFuture.completedFuture(Optional.empty());
                  case NewestEpoch.Unreachable u ->
                      CompletableFuture.failedFuture(new IOException(u.why()));
                });
  }

  /**
   * The newest epoch, {@link Epoch#NONE} if there is none.
   *
   * @throws IOException with a sentence for the user, if the storage does not answer
   */
  public Epoch newestEpoch() throws IOException {
    try {
      return newest().get().map(Owner::epoch).orElse(Epoch.NONE);
    } catch (ExecutionException e) {
      throw new IOException(
          "The storage cannot be reached (%s); is it mounted?".formatted(e.getCause().getMessage()),
          e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("Starting was interrupted.", e);
    }
  }

  @Override
  public void close() {
    store.close();
  }
}
