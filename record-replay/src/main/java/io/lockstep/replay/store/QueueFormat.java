package io.lockstep.replay.store;

import net.openhft.chronicle.queue.RollCycle;

/**
 * What this program's queue files look like. A queue is a directory of files {@code yyyyMMdd.cq4},
 * "days" from 1970-01-01 on; a day here is not time but a file of about {@link #FILE_BYTES}. In a
 * file, excerpts follow one another, each with a 4-byte little-endian header:
 *
 * <pre>
 *  bit 31      not complete: being written, or never finished
 *  bit 30      the queue's own data (file header, index), not ours
 *  bits 0-29   length in bytes; the next excerpt begins at the next multiple of 4
 *  all zero    nothing yet: the end of what was written
 *  bits 31,30  both set and length 0: the queue goes on in the next file
 * </pre>
 */
final class QueueFormat {
  static final String SUFFIX = ".cq4";
  static final String METADATA_FILE = "metadata.cq4t";

  static final int INCOMPLETE = 0x8000_0000;
  static final int INTERNAL = 0x4000_0000;
  static final int END_OF_FILE = INCOMPLETE | INTERNAL;
  static final int LENGTH_MASK = 0x3fff_ffff;

  /** A file is closed when it has grown beyond this. */
  static final long FILE_BYTES = 256L << 20;

  /** What is mapped, and so what a file grows by. */
  static final int BLOCK_BYTES = 1 << 20;

  /**
   * The longest excerpt that this program writes: a quarter of a block is what the queue allows.
   */
  static final int EXCERPT_BYTES = 64 << 10;

  static final long DAY_MILLIS = 86_400_000L;

  private QueueFormat() {}

  /** Small indices, so that a short recording is a short file. */
  enum BySize implements RollCycle {
    INSTANCE;

    private static final int INDEX = 128;
    private static final int SEQUENCE_BITS = 32;

    @Override
    public String format() {
      return "yyyyMMdd";
    }

    @Override
    public int lengthInMillis() {
      return (int) DAY_MILLIS;
    }

    @Override
    public int defaultIndexCount() {
      return INDEX;
    }

    @Override
    public int defaultIndexSpacing() {
      return INDEX;
    }

    @Override
    public long toIndex(int cycle, long sequence) {
      return ((long) cycle << SEQUENCE_BITS) + (sequence & 0xffff_ffffL);
    }

    @Override
    public long toSequenceNumber(long index) {
      return index & 0xffff_ffffL;
    }

    @Override
    public int toCycle(long index) {
      return (int) (index >>> SEQUENCE_BITS);
    }

    @Override
    public long maxMessagesPerCycle() {
      return (long) INDEX * INDEX * INDEX;
    }
  }
}
