package io.lockstep.host.net.loop;

import io.lockstep.replay.Threads;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One thread that waits for channels, timers and tasks. Everything in the switch and its gateway
 * happens on it, so that a frame goes from one socket to another without changing threads.
 *
 * <p>A turn: ready channels, timers and tasks first; then what they deferred as work (protocol
 * engines that answer once for all that came in); then what was deferred as output (sockets that
 * write once for all that was queued).
 */
public final class EventLoop implements Executor, AutoCloseable {
  /** One who waits for a channel. */
  public interface Handler {
    /**
     * Called with the channel's ready operations. An exception closes nothing by itself; see {@link
     * #failed}.
     */
    void ready(int operations) throws IOException;

    /** {@link #ready} threw this; normally the handler closes its channel. */
    void failed(Exception cause);
  }

  private static final Logger LOG = LoggerFactory.getLogger(EventLoop.class);
  private static final long NS_PER_MS = 1_000_000L;

  private final Selector selector;
  private final Thread thread;
  private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean woken = new AtomicBoolean();
  private final ArrayDeque<Runnable> deferredWork = new ArrayDeque<>();
  private final ArrayDeque<Runnable> deferredOutput = new ArrayDeque<>();
  private final TimerHeap timers = new TimerHeap();
  private volatile boolean closing;
  private long now = System.nanoTime();

  private EventLoop(String name) {
    try {
      selector = Selector.open();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot open a selector: " + e.getMessage(), e);
    }
    thread = Thread.ofPlatform().name(name).daemon(true).unstarted(this::run);
  }

  /** Starts a loop on a daemon thread of its own. */
  public static EventLoop start(String name) {
    EventLoop loop = new EventLoop(name);
    loop.thread.start();
    return loop;
  }

  /**
   * Time at the start of what is running now, in nanoseconds of {@link System#nanoTime}. On the
   * loop only.
   */
  public long now() {
    return now;
  }

  public boolean inLoop() {
    return thread.equals(Thread.currentThread());
  }

  /** Runs a task on the loop, soon. From any thread; after {@link #close} it is dropped. */
  @Override
  public void execute(Runnable task) {
    tasks.add(task);
    if (!inLoop() && woken.compareAndSet(false, true)) {
      selector.wakeup();
    }
  }

  /** Runs once at the end of this turn, before output. On the loop only. */
  public void deferWork(Runnable work) {
    deferredWork.add(work);
  }

  /** Runs once at the end of this turn, after all work. On the loop only. */
  public void deferOutput(Runnable output) {
    deferredOutput.add(output);
  }

  /** A timer that is not set. On the loop only. */
  public Timer timer(Runnable action) {
    return new Timer(timers, action);
  }

  /** Registers a non-blocking channel. On the loop only. */
  public SelectionKey register(SelectableChannel channel, int operations, Handler handler)
      throws IOException {
    return channel.register(selector, operations, handler);
  }

  /**
   * Ends the loop and waits for its thread, unless called on it. Registered channels are not
   * closed.
   */
  @Override
  public void close() {
    closing = true;
    selector.wakeup();
    if (!inLoop()) {
      Threads.awaitEnd(thread);
    }
  }

  private void run() {
    try (selector) {
      while (!closing) {
        select();
        woken.set(false);
        now = System.nanoTime();
        guard(() -> timers.fire(now));
        runTasks();
        finishTurn();
      }
      // Someone may wait for what was asked before the end.
      runTasks();
    } catch (IOException | ClosedSelectorException e) {
      LOG.error("network loop {} ended: {}", thread.getName(), e.toString());
    }
  }

  private void select() throws IOException {
    long due = timers.earliest();
    if (!tasks.isEmpty()) {
      selector.selectNow(this::dispatch);
    } else if (due == Long.MAX_VALUE) {
      selector.select(this::dispatch);
    } else {
      long wait = due - System.nanoTime();
      if (wait <= 0) {
        selector.selectNow(this::dispatch);
      } else {
        selector.select(this::dispatch, (wait + NS_PER_MS - 1) / NS_PER_MS);
      }
    }
  }

  private boolean dispatchedThisTurn;

  private void dispatch(SelectionKey key) {
    if (!dispatchedThisTurn) {
      dispatchedThisTurn = true;
      now = System.nanoTime();
    }
    Handler handler = (Handler) key.attachment();
    if (!key.isValid()) {
      return;
    }
    try {
      handler.ready(key.readyOps());
    } catch (IOException | RuntimeException e) {
      if (e instanceof RuntimeException) {
        LOG.warn("closing a connection after an unexpected failure", e);
      }
      guard(() -> handler.failed(e));
    }
  }

  private void runTasks() {
    // Tasks that tasks add run in the next turn.
    for (int n = tasks.size(); n > 0; n--) {
      Runnable task = tasks.poll();
      if (task == null) {
        return;
      }
      guard(task);
    }
  }

  private void finishTurn() {
    while (!deferredWork.isEmpty() || !deferredOutput.isEmpty()) {
      Runnable work = deferredWork.poll();
      guard(work != null ? work : deferredOutput.poll());
    }
    dispatchedThisTurn = false;
  }

  /** One failing task must not end the loop that everyone shares. */
  private static void guard(Runnable task) {
    try {
      task.run();
    } catch (RuntimeException e) {
      LOG.warn("unexpected failure in the network loop", e);
    }
  }
}
