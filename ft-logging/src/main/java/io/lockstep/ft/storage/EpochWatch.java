package io.lockstep.ft.storage;

import io.lockstep.ft.protocol.Epoch;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Looks from time to time whether a newer epoch exists, so that a replica that was stopped and
 * wakes up ends soon. A courtesy: that it does no harm until then is guaranteed by {@link
 * SharedDisk}.
 */
public final class EpochWatch implements AutoCloseable {
  private final EpochStore store;
  private final Supplier<Epoch> own;
  private final Consumer<EpochRecord> newer;
  private final ScheduledExecutorService timer;
  private final AtomicBoolean asking = new AtomicBoolean();

  /**
   * Starts to look.
   *
   * @param own the epoch that this replica knows to be the newest
   * @param newer gets the record of one that is newer, on a thread of the watch or the store; again
   *     at every look until {@code own} has caught up
   */
  public EpochWatch(
      EpochStore store, Supplier<Epoch> own, Duration interval, Consumer<EpochRecord> newer) {
    this.store = store;
    this.own = own;
    this.newer = newer;
    this.timer =
        Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("epoch-watch").factory());
    long nanos = interval.toNanos();
    timer.scheduleWithFixedDelay(this::look, nanos, nanos, TimeUnit.NANOSECONDS);
  }

  /** Looks now, unless a look is under way; does not wait. */
  public void look() {
    if (!asking.compareAndSet(false, true)) {
      return;
    }
    store
        .newest()
        .thenAccept(
            newest -> {
              asking.set(false);
              switch (newest) {
                case NewestEpoch.Owned o -> {
                  if (o.owner().epoch().compareTo(own.get()) > 0) {
                    newer.accept(o.owner());
                  }
                }
                case NewestEpoch.NoneYet n -> {}
                case NewestEpoch.Unreachable u -> {}
              }
            });
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }
}
