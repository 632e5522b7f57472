package io.lockstep.ft.storage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;

/** Reads a layer's index, and goes on reading where it stopped as the index grows. */
final class IndexReader {
  /** Several frames, and at least one whole. */
  private static final int WINDOW = 1 << 18;

  private final long epoch;
  private long position;
  private long number;
  private int before;

  IndexReader(long epoch) {
    this.epoch = epoch;
  }

  /** Where the next frame belongs. */
  long position() {
    return position;
  }

  /** The number of the next frame. */
  long number() {
    return number;
  }

  /** The checksum of the last frame. */
  int before() {
    return before;
  }

  /** Reads all good frames from here on. */
  IndexCase readOn(BlockFile file, Consumer<IndexEntry> entries) throws IOException {
    return readOn(file, Long.MAX_VALUE, entries);
  }

  /** Reads the good frames that begin before {@code end}. */
  IndexCase readOn(BlockFile file, long end, Consumer<IndexEntry> entries) throws IOException {
    while (position < end) {
      ByteBuffer window = window(file, position);
      int at = 0;
      for (IndexFrame.Read next = next(window, at);
          next != null && position < end;
          next = next(window, at)) {
        next.frame().entries().forEach(entries);
        at += next.frame().length();
        position += next.frame().length();
        number++;
        before = next.crc();
      }
      if (at == 0) {
        return judge(file, window);
      }
    }
    return IndexCase.CLEAN;
  }

  private IndexFrame.Read next(ByteBuffer window, int at) {
    IndexFrame.Read read = IndexFrame.at(window, at);
    boolean follows =
        read != null
            && read.frame().number() == number
            && read.frame().epoch() == epoch
            && read.frame().before() == before;
    return follows ? read : null;
  }

  private static ByteBuffer window(BlockFile file, long position) throws IOException {
    long left = Math.max(0, file.size() - position);
    ByteBuffer window = ByteBuffer.allocate((int) Math.min(WINDOW, left));
    file.read(window, position);
    return window.flip().order(ByteOrder.LITTLE_ENDIAN);
  }

  private IndexCase judge(BlockFile file, ByteBuffer window) throws IOException {
    if (laterFrameSaysItWasStable(file)) {
      return IndexCase.DAMAGED;
    }
    if (number == 0) {
      return IndexCase.EMPTY;
    }
    boolean zeros = window.remaining() < Long.BYTES || window.getLong(0) == 0;
    return zeros ? IndexCase.CLEAN : IndexCase.TORN;
  }

  private boolean laterFrameSaysItWasStable(BlockFile file) throws IOException {
    long size = file.size();
    for (long start = position; start < size; start += WINDOW - IndexFrame.LENGTH_MAX) {
      ByteBuffer window = window(file, start);
      for (int at = 0; at + IndexFrame.HEAD <= window.limit(); at += IndexFrame.ALIGN) {
        if (window.getInt(at) == IndexFrame.MAGIC) {
          IndexFrame.Read read = IndexFrame.at(window, at);
          if (read != null && read.frame().epoch() == epoch && read.frame().stable() > number) {
            return true;
          }
        }
      }
    }
    return false;
  }
}
