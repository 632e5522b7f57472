package io.lockstep.ft.pair;

import io.lockstep.replay.FrameSink;
import java.io.IOException;

/** Where a secondary keeps the log that it receives. */
public interface LogFile extends FrameSink, AutoCloseable {
  /** Keeps the log in memory only. */
  LogFile NONE =
      new LogFile() {
        @Override
        public void write(byte[] bytes, int length, long lastLsn) {}

        @Override
        public void close() {}
      };

  @Override
  void close() throws IOException;

  /** Makes a file for a new log. */
  @FunctionalInterface
  interface Factory {
    /**
     * A file for the log of one attach, ready to be written without delay. May be called on any
     * thread and take its time.
     *
     * @throws IOException with a sentence for the user
     */
    LogFile create(long attachId) throws IOException;
  }
}
