package io.lockstep.cli;

import io.lockstep.cli.console.ConsoleSession;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Ends a machine in good order when a signal ends the process: the JVM goes on until everything is
 * closed. If that takes too long, the terminal at least is given back.
 */
final class EndBySignal implements AutoCloseable {
  private static final long WAIT_SECONDS = 10;

  private final Runnable stop;
  private final ConsoleSession console;
  private final CountDownLatch closed = new CountDownLatch(1);
  private final Thread hook;

  /**
   * Does nothing before {@link #arm}.
   *
   * @param stop makes the thread that runs the machine close everything
   * @param console of the machine
   */
  EndBySignal(String threadName, Runnable stop, ConsoleSession console) {
    this.stop = stop;
    this.console = console;
    this.hook = new Thread(this::end, threadName);
  }

  void arm() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** The JVM ends when this returns. */
  private void end() {
    stop.run();
    try {
      if (!closed.await(WAIT_SECONDS, TimeUnit.SECONDS)) {
        console.close();
      }
    } catch (InterruptedException e) {
      console.close();
    }
  }

  /** Everything is closed. */
  @Override
  public void close() {
    closed.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // It is running.
    }
  }
}
