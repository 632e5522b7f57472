package io.lockstep.replay;

import io.lockstep.replay.live.InputJournal;
import io.lockstep.replay.log.LogEncoder;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.log.LogHeader;
import io.lockstep.vm.port.Input;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * The journal that writes: takes entries on the vCPU thread at the cost of an array store, and
 * encodes and writes them on a thread of its own, many at a time. When the writer falls behind by
 * more than {@value #ENTRIES_MAX} entries or 64 MiB of data, the vCPU waits for it.
 *
 * <p>A sink that fails ends the writing, not the machine: {@link #failure} tells, and so does the
 * callback; further entries are dropped.
 */
public final class LogWriter implements InputJournal, AutoCloseable {
  private static final int ENTRIES_MAX = 1 << 14;
  private static final long DATA_BYTES_MAX = 64L << 20;

  /** Encoded bytes that are handed to the sinks at once, about. */
  private static final int BATCH_BYTES = 256 << 10;

  private static final long POLL_NANOS = 4_000_000;
  private static final int POLLS_BEFORE_SLEEP = 5;
  private static final long FULL_WAIT_NANOS = 50_000;

  private final AtomicReferenceArray<LogEntry> ring = new AtomicReferenceArray<>(ENTRIES_MAX);
  private final LogEncoder encoder;
  private final List<FrameSink> sinks;
  private final Consumer<IOException> onFailure;
  private final boolean eager;
  private final Thread thread;
  private final long firstLsn;

  // The appending thread's.
  private long tail;
  private long dataAppended;
  private boolean ended;

  private final AtomicLong taken = new AtomicLong();
  private final AtomicLong dataTaken = new AtomicLong();
  private volatile long written;
  private volatile boolean parked;
  private volatile boolean asleep;
  private volatile boolean closing;
  private volatile IOException failure;

  /**
   * Starts a stream and its thread.
   *
   * @param header the stream's
   * @param sinks get all bytes, each batch in this order
   * @param eager whether every entry wakes the writer at once; otherwise only those that somebody
   *     waits for do, and the others may take {@code 4 ms}
   * @param onFailure called once, on the writer's thread, if a sink fails
   */
  public LogWriter(
      LogHeader header, List<FrameSink> sinks, boolean eager, Consumer<IOException> onFailure) {
    this.encoder = new LogEncoder(header);
    this.firstLsn = header.firstLsn();
    this.sinks = List.copyOf(sinks);
    this.eager = eager;
    this.onFailure = onFailure;
    this.thread = Thread.ofPlatform().name("log-writer").daemon().start(this::work);
  }

  @Override
  public long append(LogEntry entry) {
    long data = dataBytes(entry);
    while (tail - taken.get() >= ENTRIES_MAX || dataAppended - dataTaken.get() > DATA_BYTES_MAX) {
      if (!thread.isAlive()) {
        throw new IllegalStateException("the log writer has ended, nothing can be appended");
      }
      LockSupport.unpark(thread);
      LockSupport.parkNanos(this, FULL_WAIT_NANOS);
    }
    dataAppended += data;
    ended |= entry instanceof LogEntry.End;
    ring.set((int) (tail & ENTRIES_MAX - 1), entry);
    tail++;
    if (parked && (eager || asleep || urgent(entry) || tail - taken.get() > ENTRIES_MAX / 2)) {
      LockSupport.unpark(thread);
    }
    return firstLsn + tail - 1;
  }

  /** None once writing has failed: nobody would read them. */
  @Override
  public boolean wantsDigests() {
    return failure == null;
  }

  /** Lsn of the next entry. From the appending thread. */
  public long nextLsn() {
    return firstLsn + tail;
  }

  /** Lsn of the last entry that all sinks have taken; the first lsn - 1 if none. */
  public long writtenLsn() {
    return firstLsn - 1 + written;
  }

  /** Entries that wait. From the appending thread. */
  public long backlog() {
    return tail - taken.get();
  }

  /** Whether an end entry was appended. From the appending thread. */
  public boolean ended() {
    return ended;
  }

  /** Why writing ended early; null if it has not. */
  public IOException failure() {
    return failure;
  }

  /** Writes what waits and ends the thread. To be called when nothing more is appended. */
  @Override
  public void close() {
    closing = true;
    LockSupport.unpark(thread);
    Threads.awaitEnd(thread);
  }

  private void work() {
    // The header goes out at once, so that a store that cannot be written is known before the
    // machine runs.
    write(firstLsn - 1);
    int quietPolls = 0;
    while (true) {
      boolean last = closing;
      if (takeBatch()) {
        quietPolls = 0;
        continue;
      }
      if (last) {
        return;
      }
      quietPolls = Math.min(quietPolls + 1, POLLS_BEFORE_SLEEP);
      sleep(quietPolls == POLLS_BEFORE_SLEEP);
    }
  }

  private void sleep(boolean deep) {
    asleep = deep;
    parked = true;
    if (ring.get((int) (taken.get() & ENTRIES_MAX - 1)) == null && !closing) {
      if (deep) {
        LockSupport.park(this);
      } else {
        LockSupport.parkNanos(this, POLL_NANOS);
      }
    }
    parked = false;
    asleep = false;
  }

  private boolean takeBatch() {
    long head = taken.get();
    long begin = head;
    long data = 0;
    while (encoder.size() < BATCH_BYTES) {
      int slot = (int) (head & ENTRIES_MAX - 1);
      LogEntry entry = ring.get(slot);
      if (entry == null) {
        break;
      }
      ring.set(slot, null);
      head++;
      if (failure == null) {
        encoder.append(entry);
      }
      data += dataBytes(entry);
    }
    if (head == begin) {
      return false;
    }
    taken.set(head);
    dataTaken.addAndGet(data);
    write(firstLsn + head - 1);
    return true;
  }

  private void write(long lastLsn) {
    if (failure != null) {
      return;
    }
    try {
      for (FrameSink sink : sinks) {
        sink.write(encoder.buffer(), encoder.size(), lastLsn);
      }
      encoder.clear();
      written = lastLsn + 1 - firstLsn;
    } catch (IOException e) {
      failure = e;
      encoder.clear();
      onFailure.accept(e);
    }
  }

  private static boolean urgent(LogEntry entry) {
    return switch (entry) {
      case LogEntry.OutputMark e -> true;
      case LogEntry.EpochChange e -> true;
      case LogEntry.Flush e -> true;
      case LogEntry.End e -> true;
      case LogEntry.InputEntry e -> false;
      case LogEntry.Digest e -> false;
      case LogEntry.SnapshotMark e -> false;
    };
  }

  private static long dataBytes(LogEntry entry) {
    return switch (entry) {
      case LogEntry.InputEntry e ->
          switch (e.input()) {
            case Input.BlockCompletion i -> i.data().length;
            case Input.PacketArrival i -> i.frame().length;
            case Input.ConsoleInput i -> i.data().length;
            case Input.EntropyDelivery i -> i.data().length;
            case Input.ClockReading i -> 0;
            case Input.Control i -> 0;
          };
      case LogEntry.OutputMark e -> 0;
      case LogEntry.Digest e -> 0;
      case LogEntry.EpochChange e -> 0;
      case LogEntry.Flush e -> 0;
      case LogEntry.SnapshotMark e -> 0;
      case LogEntry.End e -> 0;
    };
  }
}
