package io.lockstep.host.backend;

import io.lockstep.replay.live.ConsoleBackend;
import io.lockstep.replay.live.InputPort;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A console on a stream: what the guest writes is written there by a thread of its own, in the
 * largest pieces that are there. When the stream is slower than the guest, the vCPU thread waits
 * (nothing is lost, as on a serial line with flow control), or the oldest bytes are dropped.
 *
 * <p>One console can serve several devices (UART and virtio console on one terminal): what any of
 * them writes is shown; what is typed goes to the last one started.
 */
public final class StreamConsole implements ConsoleBackend {
  /** What happens when the stream is too slow. */
  public enum WhenFull {
    /** The guest waits. */
    WAIT,
    /** What was written first is lost. For machines that must not wait for a terminal. */
    DROP
  }

  private static final Logger LOG = LoggerFactory.getLogger(StreamConsole.class);
  private static final int CAPACITY = 1 << 20;
  private static final long CLOSE_WAIT_MS = 2_000;

  private final OutputStream out;
  private final WhenFull whenFull;
  private final Thread writer;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();

  // Guarded by lock.
  private byte[] pending = new byte[8192];
  private int size;
  private boolean writing;
  private boolean closed;
  private boolean broken;

  private final CountDownLatch started = new CountDownLatch(1);
  private volatile Keyboard keyboard;
  private volatile Runnable whenBroken = () -> {};

  /** Where typed bytes go. */
  record Keyboard(int device, InputPort port) {}

  /**
   * Starts the thread.
   *
   * @param out gets what the guest writes; not closed
   */
  public StreamConsole(OutputStream out, WhenFull whenFull) {
    this.out = out;
    this.whenFull = whenFull;
    writer = Thread.ofPlatform().daemon().name("console-output").start(this::work);
  }

  @Override
  public void start(int device, InputPort typed) {
    keyboard = new Keyboard(device, typed);
    started.countDown();
  }

  /** Sets what is done, on the console's thread, when the stream takes no more: a closed pipe. */
  public void whenBroken(Runnable action) {
    whenBroken = action;
  }

  /** Waits until a machine has been started, and gives the newest one's keyboard. */
  Keyboard awaitKeyboard() throws InterruptedException {
    started.await();
    return keyboard;
  }

  @Override
  public void write(byte[] data) {
    lock.lock();
    try {
      int from = 0;
      while (from < data.length && !broken) {
        if (size == CAPACITY && !makeRoom(data.length - from)) {
          return;
        }
        int n = Math.min(data.length - from, CAPACITY - size);
        reserve(size + n);
        System.arraycopy(data, from, pending, size, n);
        if (size == 0) {
          changed.signalAll();
        }
        size += n;
        from += n;
      }
    } finally {
      lock.unlock();
    }
  }

  /** Under the lock: whether writing can go on. */
  private boolean makeRoom(int wanted) {
    if (whenFull == WhenFull.WAIT) {
      while (size == CAPACITY && !closed && !broken) {
        changed.awaitUninterruptibly();
      }
      return !closed && !broken;
    }
    int n = Math.min(size, Math.max(wanted, CAPACITY / 4));
    System.arraycopy(pending, n, pending, 0, size - n);
    size -= n;
    return true;
  }

  private void reserve(int wanted) {
    if (wanted > pending.length) {
      pending = Arrays.copyOf(pending, Math.min(CAPACITY, Math.max(wanted, pending.length * 2)));
    }
  }

  private void work() {
    while (true) {
      byte[] bytes = take();
      if (bytes == null) {
        return;
      }
      try {
        out.write(bytes);
        out.flush();
      } catch (IOException e) {
        LOG.debug("console output ends", e);
        giveUp();
        whenBroken.run();
        return;
      }
    }
  }

  private byte[] take() {
    lock.lock();
    try {
      writing = false;
      changed.signalAll();
      while (size == 0) {
        if (closed) {
          return null;
        }
        changed.awaitUninterruptibly();
      }
      byte[] bytes = Arrays.copyOf(pending, size);
      size = 0;
      writing = true;
      changed.signalAll();
      return bytes;
    } finally {
      lock.unlock();
    }
  }

  /** The stream is gone (a closed pipe): the guest goes on without. */
  private void giveUp() {
    lock.lock();
    try {
      broken = true;
      size = 0;
      writing = false;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Waits, not for long, until everything has been written. */
  public void drain() {
    lock.lock();
    try {
      long left = TimeUnit.MILLISECONDS.toNanos(CLOSE_WAIT_MS);
      while ((size > 0 || writing) && !broken && left > 0) {
        left = changed.awaitNanos(left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      lock.unlock();
    }
  }

  /** Releases a guest that waits, writes what is there, and ends the thread. */
  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    drain();
    if (writer.isAlive()) {
      LOG.debug("console output did not end in time");
    }
  }
}
