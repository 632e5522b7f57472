package io.lockstep.ft.pair;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * The one thread that ever touches a replica's machine: what it does, it does to the end before the
 * next.
 */
final class MachineThread {
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(Thread.ofPlatform().name("vcpu").daemon().factory());

  void execute(Runnable what) {
    thread.execute(what);
  }

  void end() {
    thread.shutdown();
  }

  /**
   * Waits, after {@link #end}, until nothing runs here any more.
   *
   * @return whether that is so; false when the time was up
   */
  boolean awaitEnd(long seconds) {
    try {
      return thread.awaitTermination(seconds, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
