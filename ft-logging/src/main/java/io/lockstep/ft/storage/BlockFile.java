package io.lockstep.ft.storage;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A file of the shared storage. Thread-safe; after a failed {@link #force} nothing is known. */
interface BlockFile extends Closeable {
  /** Fills what remains of the buffer. */
  void read(ByteBuffer into, long position) throws IOException;

  /** Writes all that remains of the buffer. */
  void write(ByteBuffer from, long position) throws IOException;

  /** Waits until all that was written is stable. */
  void force() throws IOException;

  long size() throws IOException;

  /** Takes the lock that a process loses only by ending; false if another process has it. */
  boolean tryLock(boolean shared) throws IOException;
}
