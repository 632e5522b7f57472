package io.lockstep.ft.pair;

import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Outputs that have not left. On a primary: held until their mark is acknowledged. On a secondary:
 * what its machine emitted in replay and the primary may not have let go. Thread-safe.
 */
public final class OutputQueue {
  private record Held(long markLsn, Output output) {}

  private final ArrayDeque<Output> unmarked = new ArrayDeque<>();
  private final ArrayDeque<Held> held = new ArrayDeque<>();
  private long bytes;

  /** Takes an output that was just emitted. */
  public synchronized void add(Output output) {
    unmarked.add(output);
    bytes += weight(output);
  }

  /** Gives all outputs taken since the last mark this one. */
  public synchronized void mark(long lsn) {
    for (Output o = unmarked.poll(); o != null; o = unmarked.poll()) {
      held.add(new Held(lsn, o));
    }
  }

  /** Removes the outputs with marks before {@code next}, in order. */
  public List<Output> takeTo(long next) {
    List<Output> taken = new ArrayList<>();
    synchronized (this) {
      while (!held.isEmpty() && held.peek().markLsn() < next) {
        Output output = held.poll().output();
        bytes -= weight(output);
        taken.add(output);
      }
      notifyAll();
    }
    return taken;
  }

  /** Removes everything, in order. */
  public List<Output> takeAll() {
    List<Output> taken = takeTo(Long.MAX_VALUE);
    synchronized (this) {
      for (Output o = unmarked.poll(); o != null; o = unmarked.poll()) {
        bytes -= weight(o);
        taken.add(o);
      }
    }
    return taken;
  }

  /** {@link #takeTo} into a sink. */
  public int releaseTo(long next, OutputSink sink) {
    List<Output> taken = takeTo(next);
    taken.forEach(sink::emit);
    return taken.size();
  }

  /** The number of outputs here. */
  public synchronized int size() {
    return held.size() + unmarked.size();
  }

  /** How much memory they take, roughly. */
  public synchronized long bytes() {
    return bytes;
  }

  /** Waits until there are at most so many bytes here, or {@code nanos} have passed. */
  public synchronized void awaitRoom(long bytesMax, long nanos) throws InterruptedException {
    long deadline = System.nanoTime() + nanos;
    for (long left = nanos; bytes > bytesMax && left > 0; left = deadline - System.nanoTime()) {
      TimeUnit.NANOSECONDS.timedWait(this, left);
    }
  }

  private static long weight(Output output) {
    return 64L
        + switch (output) {
          case Output.ConsoleBytes o -> o.data().length;
          case Output.PacketSent o -> o.frame().length;
          case Output.BlockRequest o -> o.data().length;
          case Output.EntropyRequest o -> 0;
        };
  }
}
