package io.lockstep.replay.recording;

import io.lockstep.replay.live.VcpuLoop;
import java.io.IOException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Takes a snapshot of a recorded machine again and again, until it is closed. A machine that writes
 * so much memory that a snapshot takes long gets fewer of them than was asked for.
 */
public final class PeriodicSnapshots implements AutoCloseable {
  /** Snapshots take at most one part in this many of the time. */
  private static final int SHARE_INVERSE = 25;

  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          task -> Thread.ofPlatform().daemon().name("snapshot-timer").unstarted(task));
  private final Recorder recorder;
  private final VcpuLoop loop;
  private final Consumer<String> messages;
  private volatile boolean troubleTold;
  private volatile long notBeforeNanos = System.nanoTime();

  /**
   * Begins; the first snapshot is taken after the first interval.
   *
   * @param seconds between two; 0 or less for none at all
   * @param messages gets a sentence when snapshots cannot be written
   */
  public PeriodicSnapshots(
      Recorder recorder, VcpuLoop loop, int seconds, Consumer<String> messages) {
    this.recorder = recorder;
    this.loop = loop;
    this.messages = messages;
    if (seconds > 0) {
      // One that is due while the last one is being written, or after the end, is left out.
      timer.scheduleAtFixedRate(this::take, seconds, seconds, TimeUnit.SECONDS);
    }
  }

  private void take() {
    long begin = System.nanoTime();
    if (begin - notBeforeNanos < 0) {
      return;
    }
    recorder
        .snapshot(loop)
        .whenComplete(
            (number, failure) -> {
              long end = System.nanoTime();
              notBeforeNanos = end + (end - begin) * SHARE_INVERSE;
              Throwable cause =
                  failure instanceof CompletionException && failure.getCause() != null
                      ? failure.getCause()
                      : failure;
              if (cause instanceof IOException && !troubleTold) {
                troubleTold = true;
                messages.accept(
                    "a snapshot could not be written: %s; the recording goes on without it."
                        .formatted(cause.getMessage()));
              } else if (failure == null && number >= 0) {
                troubleTold = false;
              }
            });
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }
}
