package io.lockstep.host.backend;

import io.lockstep.vm.port.Input;
import java.util.Arrays;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.function.IntUnaryOperator;

/**
 * What a user types, on its way to a console: handed to the machine in small pieces, no faster than
 * the guest reads, because the device keeps only so much. Pasting a page or piping in a file loses
 * nothing.
 */
public final class TypedInput {
  private static final int QUEUE_MAX = 256;
  private static final int PIECE_MAX = 1024;

  /** With more than this waiting for the guest, the rest waits here. */
  private static final int BACKLOG_HIGH = 1024;

  private static final long PAUSE_MS = 5;

  private final StreamConsole console;
  private final IntUnaryOperator backlog;
  private final ArrayBlockingQueue<byte[]> queue = new ArrayBlockingQueue<>(QUEUE_MAX);
  private int sinceAsked;

  /**
   * Starts the thread, a daemon.
   *
   * @param backlog how many bytes the device with this id keeps for the guest; may wait
   */
  public TypedInput(StreamConsole console, IntUnaryOperator backlog) {
    this.console = console;
    this.backlog = backlog;
    Thread.ofPlatform().daemon().name("console-typed").start(this::work);
  }

  /** Types bytes; does not wait. False if too much waits: then they are lost. */
  public boolean offer(byte[] bytes) {
    return queue.offer(bytes);
  }

  /** Types bytes; waits while too much waits. */
  public void put(byte[] bytes) throws InterruptedException {
    queue.put(bytes);
  }

  private void work() {
    try {
      while (true) {
        byte[] bytes = queue.take();
        for (int done = 0; done < bytes.length; done += PIECE_MAX) {
          type(Arrays.copyOfRange(bytes, done, Math.min(bytes.length, done + PIECE_MAX)));
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void type(byte[] piece) throws InterruptedException {
    // What is typed before the machine starts waits for it.
    StreamConsole.Keyboard keyboard = console.awaitKeyboard();
    keyboard.port().offer(new Input.ConsoleInput(keyboard.device(), piece));
    sinceAsked += piece.length;
    if (sinceAsked >= PIECE_MAX) {
      while (backlog.applyAsInt(keyboard.device()) > BACKLOG_HIGH) {
        Thread.sleep(PAUSE_MS);
      }
      sinceAsked = 0;
    }
  }
}
