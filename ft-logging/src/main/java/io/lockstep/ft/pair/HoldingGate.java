package io.lockstep.ft.pair;

import io.lockstep.replay.live.InputJournal;
import io.lockstep.replay.live.OutputGate;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;

/**
 * The gate of a machine that has a secondary, or is about to have one. Marks every output in the
 * log; while it {@linkplain #hold holds}, outputs wait until they are {@linkplain #releaseTo
 * released}.
 */
final class HoldingGate implements OutputGate {
  private static final long WAIT_NANOS = 1_000_000_000L;

  private final OutputSink world;
  private final InputJournal journal;
  private final OutputQueue queue = new OutputQueue();
  private final long bytesMax;
  private long outputs;
  private volatile boolean holding;
  private volatile long releasedNext;

  HoldingGate(OutputSink world, InputJournal journal, long bytesMax) {
    this.world = world;
    this.journal = journal;
    this.bytesMax = bytesMax;
  }

  /** Holds outputs from now on. On the vCPU thread. */
  void hold() {
    holding = true;
  }

  /** Lets everything go, and holds nothing from now on. */
  void open() {
    synchronized (this) {
      holding = false;
      queue.takeAll().forEach(world::emit);
    }
  }

  /** Forgets what is held: the world will get it from another replica. */
  void discard() {
    holding = false;
    queue.takeAll();
  }

  /** Lets go what is marked before {@code next}. */
  void releaseTo(long next) {
    releasedNext = next;
    release(next);
  }

  private void release(long next) {
    synchronized (this) {
      queue.releaseTo(next, world);
    }
  }

  int held() {
    return queue.size();
  }

  long heldBytes() {
    return queue.bytes();
  }

  @Override
  public void emit(Output output) {
    outputs++;
    synchronized (this) {
      if (holding) {
        queue.add(output);
      } else {
        world.emit(output);
      }
    }
  }

  @Override
  public void commit(long point) {
    long mark = journal.append(new LogEntry.OutputMark(point, outputs));
    queue.mark(mark);
    if (mark < releasedNext) {
      // The secondary's ack has overtaken this thread, and found nothing marked.
      release(releasedNext);
    }
    try {
      while (holding && queue.bytes() > bytesMax) {
        queue.awaitRoom(bytesMax, WAIT_NANOS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public boolean holdsOutputs() {
    return true;
  }
}
