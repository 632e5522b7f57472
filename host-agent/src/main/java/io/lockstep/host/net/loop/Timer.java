package io.lockstep.host.net.loop;

/**
 * Runs an action at a time, which can be changed as often as one likes. Belongs to its loop's
 * thread.
 */
public final class Timer {
  final Runnable action;
  private final TimerHeap heap;
  long deadline = Long.MAX_VALUE;
  int index = -1;

  Timer(TimerHeap heap, Runnable action) {
    this.heap = heap;
    this.action = action;
  }

  /**
   * Sets or moves the time, in nanoseconds of {@link System#nanoTime}; {@link Long#MAX_VALUE} for
   * never.
   */
  public void at(long nanos) {
    heap.set(this, nanos);
  }

  public void cancel() {
    heap.set(this, Long.MAX_VALUE);
  }

  public boolean isSet() {
    return index >= 0;
  }
}
