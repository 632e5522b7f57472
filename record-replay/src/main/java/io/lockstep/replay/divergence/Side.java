package io.lockstep.replay.divergence;

import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** Work that is done beside other work, on a thread of its own. */
final class Side {
  private Side() {}

  /** Begins. */
  static <T> CompletableFuture<T> run(Callable<T> work) {
    CompletableFuture<T> result = new CompletableFuture<>();
    Thread.ofPlatform()
        .daemon()
        .name("bisect")
        .start(
            () -> {
              try {
                result.complete(work.call());
              } catch (Throwable e) {
                // Also an error: whoever waits for the result gets it.
                result.completeExceptionally(e);
              }
            });
    return result;
  }

  /**
   * Waits for the result.
   *
   * @throws IOException if the work has thrown one
   */
  static <T> T join(CompletableFuture<T> work) throws IOException {
    try {
      return work.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof IOException cause) {
        throw new IOException(cause.getMessage(), cause);
      }
      if (e.getCause() instanceof OutOfMemoryError cause) {
        throw cause;
      }
      throw e;
    }
  }
}
