package io.lockstep.ft.pair;

import io.lockstep.replay.live.InputJournal;
import io.lockstep.replay.log.LogEncoder;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.log.LogHeader;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.function.Consumer;

/**
 * The journal of a machine that has a secondary: encoded entries, kept until the secondary has
 * acknowledged them, so that they can be sent again on another connection. Bounded: when the
 * secondary is too far behind, the vCPU waits.
 */
final class SentLog implements InputJournal {
  /** Bytes in one message, about. */
  private static final int BATCH_BYTES = 256 << 10;

  private static final long WAIT_MILLIS = 100;

  /** Entries as bytes. */
  record Batch(long firstLsn, int count, byte[] bytes) {}

  private final LogEncoder encoder;
  private final ArrayDeque<byte[]> frames = new ArrayDeque<>();
  private final long bytesMax;
  private final Consumer<LogEntry> grown;
  private long first;
  private long next;
  private long kept;
  private long total;
  private boolean closed;

  /**
   * Starts a log.
   *
   * @param grown called after each append with what was appended, on the vCPU thread
   */
  SentLog(long firstLsn, long startPoint, long runId, long bytesMax, Consumer<LogEntry> grown) {
    this.encoder = new LogEncoder(new LogHeader(firstLsn, startPoint, runId));
    this.first = firstLsn;
    this.next = firstLsn;
    this.bytesMax = bytesMax;
    this.grown = grown;
  }

  @Override
  public long append(LogEntry entry) {
    long lsn;
    synchronized (this) {
      awaitRoom();
      // The stream's header, still in the buffer, goes with the first entry.
      encoder.append(entry);
      byte[] frame = java.util.Arrays.copyOf(encoder.buffer(), encoder.size());
      encoder.clear();
      frames.add(frame);
      kept += frame.length;
      total += frame.length;
      lsn = next++;
    }
    grown.accept(entry);
    return lsn;
  }

  private void awaitRoom() {
    try {
      while (kept > bytesMax && !closed) {
        wait(WAIT_MILLIS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The lsn of the next entry. */
  synchronized long next() {
    return next;
  }

  /** Bytes appended since the start. */
  synchronized long totalBytes() {
    return total;
  }

  /**
   * As many of the entries from {@code from} on as fit into one message, but none from {@code to}
   * on.
   */
  synchronized Batch batch(long from, long to) {
    Iterator<byte[]> i = frames.iterator();
    for (long lsn = first; lsn < from; lsn++) {
      i.next();
    }
    java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream();
    int count = 0;
    while (from + count < to && (count == 0 || bytes.size() < BATCH_BYTES)) {
      bytes.writeBytes(i.next());
      count++;
    }
    return new Batch(from, count, bytes.toByteArray());
  }

  /** Entries before {@code lsn} need not be kept. */
  synchronized void forgetTo(long lsn) {
    while (first < lsn && first < next) {
      kept -= frames.remove().length;
      first++;
    }
    notifyAll();
  }

  /** Never makes anybody wait again. */
  synchronized void close() {
    closed = true;
    notifyAll();
  }
}
