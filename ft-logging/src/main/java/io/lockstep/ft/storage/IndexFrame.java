package io.lockstep.ft.storage;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * What a layer's index is made of. Little-endian, each frame at a multiple of 8 bytes:
 *
 * <pre>
 *   0  magic "LSX1"                     4  length of the frame in bytes
 *   8  number of the frame, from 0
 *  16  epoch of the layer
 *  24  stable: all frames before this number were stable when this one was written
 *  32  checksum of the frame before     36  CRC-32C of this frame with zeros here
 *  40  entries, 16 bytes each
 * </pre>
 *
 * <p>Frames that are written together have the same {@code stable}: of them a crash may leave any.
 * A frame whose successors say that it was stable cannot be missing because of a crash.
 */
record IndexFrame(long number, long epoch, long stable, int before, List<IndexEntry> entries) {
  static final int MAGIC = 'L' | 'S' << 8 | 'X' << 16 | '1' << 24;
  static final int ALIGN = 8;
  static final int HEAD = 40;
  static final int ENTRIES_MAX = 1024;
  static final int LENGTH_MAX = HEAD + ENTRIES_MAX * IndexEntry.BYTES;
  private static final int CRC_AT = 36;

  int length() {
    return HEAD + entries.size() * IndexEntry.BYTES;
  }

  /**
   * Writes it.
   *
   * @return its checksum, for the next frame
   */
  int put(ByteBuffer out) {
    int at = out.position();
    out.order(ByteOrder.LITTLE_ENDIAN).putInt(MAGIC).putInt(length());
    out.putLong(number).putLong(epoch).putLong(stable).putInt(before).putInt(0);
    entries.forEach(e -> e.put(out));
    int crc = crc(out, at, length());
    out.putInt(at + CRC_AT, crc);
    return crc;
  }

  /** A frame and its checksum. */
  record Read(IndexFrame frame, int crc) {}

  /** Reads the frame at a position of the buffer, whose limit is the end; null if there is none. */
  static Read at(ByteBuffer in, int at) {
    in.order(ByteOrder.LITTLE_ENDIAN);
    if (in.limit() - at < HEAD || in.getInt(at) != MAGIC) {
      return null;
    }
    int length = in.getInt(at + 4);
    if (length < HEAD
        || length > LENGTH_MAX
        || length > in.limit() - at
        || (length - HEAD) % IndexEntry.BYTES != 0) {
      return null;
    }
    ByteBuffer copy = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    copy.put(0, in, at, length);
    int crc = copy.getInt(CRC_AT);
    copy.putInt(CRC_AT, 0);
    if (crc(copy, 0, length) != crc) {
      return null;
    }
    List<IndexEntry> entries = new ArrayList<>((length - HEAD) / IndexEntry.BYTES);
    copy.position(HEAD);
    while (copy.hasRemaining()) {
      IndexEntry entry = IndexEntry.get(copy);
      if (entry == null) {
        return null;
      }
      entries.add(entry);
    }
    return new Read(
        new IndexFrame(
            copy.getLong(8), copy.getLong(16), copy.getLong(24), copy.getInt(32), entries),
        crc);
  }

  private static int crc(ByteBuffer bytes, int at, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes.slice(at, length));
    return (int) crc.getValue();
  }
}
