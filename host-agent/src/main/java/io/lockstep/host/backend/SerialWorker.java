package io.lockstep.host.backend;

import io.lockstep.replay.Threads;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * A thread that does one kind of work in the order in which it is handed in. It gets all that waits
 * at once. The queue is not bounded: whoever adds keeps within bounds.
 */
final class SerialWorker<T> implements AutoCloseable {
  private final Consumer<List<T>> work;
  private final Thread thread;
  private List<T> waiting = new ArrayList<>();
  private boolean closed;

  /**
   * Starts the thread.
   *
   * @param work is called on it with one or more elements; must not throw
   */
  SerialWorker(String name, Consumer<List<T>> work) {
    this.work = work;
    thread = Thread.ofPlatform().daemon().name(name).start(this::run);
  }

  /** Hands in work; false if closed. */
  synchronized boolean add(T element) {
    if (closed) {
      return false;
    }
    waiting.add(element);
    if (waiting.size() == 1) {
      notifyAll();
    }
    return true;
  }

  private void run() {
    while (true) {
      List<T> batch = take();
      if (batch.isEmpty()) {
        return;
      }
      work.accept(batch);
    }
  }

  /** Waits for work; empty when there will be none any more. */
  private synchronized List<T> take() {
    while (waiting.isEmpty() && !closed) {
      try {
        wait();
      } catch (InterruptedException e) {
        // Nobody interrupts this thread: an interrupt would close the file it works on.
        throw new IllegalStateException(e);
      }
    }
    List<T> batch = waiting;
    waiting = new ArrayList<>();
    return batch;
  }

  /** Takes nothing more, and waits until all that waits is done. */
  @Override
  public void close() {
    synchronized (this) {
      closed = true;
      notifyAll();
    }
    Threads.awaitEnd(thread);
  }
}
