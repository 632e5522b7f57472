package io.lockstep.replay.store;

import io.lockstep.replay.log.DecodeResult;
import io.lockstep.replay.log.FrameFinder;
import io.lockstep.replay.log.LogDamage;
import io.lockstep.replay.log.LogDecoder;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.log.LogHeader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/**
 * Reads a log from its first entry to its last sound one, and says in which {@link LogCase} it was
 * found. Never changes a file: a torn tail is cut in the sense that nothing behind it is returned.
 * A log that is still being written can be read as far as it has come.
 */
public final class LogStoreReader implements AutoCloseable {
  private final QueueScanner scanner;
  private final LogDecoder decoder = new LogDecoder();
  private LogHeader header;
  private LogEntry lastEntry;
  private LogState state;
  private boolean noMoreBytes;

  /**
   * Opens the log in {@code directory}.
   *
   * @throws IOException if the operating system does not let it be read
   */
  public LogStoreReader(Path directory) throws IOException {
    scanner = new QueueScanner(LogStoreFiles.in(directory));
  }

  /** The next entry, null behind the last sound one. */
  public DecodeResult.Decoded next() throws IOException {
    while (state == null) {
      switch (decoder.next()) {
        case DecodeResult.Header h -> header = h.header();
        case DecodeResult.Decoded d -> {
          if (lastEntry instanceof LogEntry.End) {
            state = end(LogCase.DATA_AFTER_END, d.bytes(), null);
            return null;
          }
          lastEntry = d.entry();
          return d;
        }
        case DecodeResult.NeedMore n -> more();
        case DecodeResult.Damaged d -> state = damaged(d.damage());
      }
    }
    return null;
  }

  /** The stream's header, null before the first {@link #next} or if there is none. */
  public LogHeader header() {
    return header;
  }

  /** How the reading ended; null before {@link #next} has returned null. */
  public LogState state() {
    return state;
  }

  private void more() throws IOException {
    ByteBuffer bytes = noMoreBytes ? null : scanner.next();
    if (bytes != null) {
      decoder.feed(bytes);
      return;
    }
    noMoreBytes = true;
    int pending = decoder.pendingBytes();
    if (scanner.missing()) {
      state = end(LogCase.MISSING_FILE, pending, null);
    } else if (header == null) {
      state = end(LogCase.EMPTY, pending, null);
    } else if (lastEntry instanceof LogEntry.End) {
      state = end(pending > 0 ? LogCase.DATA_AFTER_END : LogCase.COMPLETE, pending, null);
    } else if (pending > 0) {
      byte[] rest = decoder.pending();
      boolean inside = FrameFinder.findsSoundFrame(rest, rest.length);
      state = end(inside ? LogCase.DAMAGED_INSIDE : LogCase.TORN_TAIL, pending, null);
    } else {
      state = end(scanner.cut() ? LogCase.TORN_TAIL : LogCase.NO_END, 0, null);
    }
  }

  private LogState damaged(LogDamage damage) throws IOException {
    LogCase logCase =
        switch (damage.kind()) {
          case NOT_A_LOG -> LogCase.NOT_A_LOG;
          case WRONG_VERSION -> LogCase.WRONG_VERSION;
          case BAD_FRAME, BAD_CHECKSUM, BAD_CONTENT -> null;
        };
    ByteBuffer window = ByteBuffer.allocate(FrameFinder.WINDOW_BYTES);
    byte[] pending = decoder.pending();
    window.put(pending, 0, Math.min(pending.length, window.remaining()));
    long lost = pending.length;
    for (ByteBuffer bytes = scanner.next(); bytes != null; bytes = scanner.next()) {
      lost += bytes.remaining();
      bytes.limit(bytes.position() + Math.min(bytes.remaining(), window.remaining()));
      window.put(bytes);
    }
    if (logCase == null && lastEntry instanceof LogEntry.End) {
      logCase = LogCase.DATA_AFTER_END;
    }
    if (logCase == null) {
      logCase =
          FrameFinder.findsSoundFrame(window.array(), window.position())
              ? LogCase.DAMAGED_INSIDE
              : LogCase.DAMAGED_TAIL;
    }
    return end(logCase, lost, damage);
  }

  private LogState end(LogCase logCase, long lostBytes, LogDamage damage) {
    return new LogState(
        logCase, decoder.nextLsn(), decoder.point(), decoder.soundBytes(), lostBytes, damage);
  }

  @Override
  public void close() throws IOException {
    scanner.close();
  }
}
