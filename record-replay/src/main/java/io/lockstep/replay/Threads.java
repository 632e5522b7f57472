package io.lockstep.replay;

/** Waiting for threads that hold something which must be closed in order. */
public final class Threads {
  private Threads() {}

  /**
   * Waits until a thread has ended. An interrupt doesn't shorten that, since what follows relies on
   * it; the caller finds it again afterwards.
   */
  public static void awaitEnd(Thread thread) {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
