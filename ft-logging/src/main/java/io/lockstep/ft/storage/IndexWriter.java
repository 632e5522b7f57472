package io.lockstep.ft.storage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** Appends to a layer's index. Belongs to one thread at a time. */
final class IndexWriter {
  /**
   * The file grows by zeros in such steps, so that a frame overwrites what is there: to make that
   * stable costs a write, but no change of the file system's metadata.
   */
  private static final int GROWTH = 1 << 16;

  private final BlockFile file;
  private final long epoch;
  private long position;
  private long number;
  private int before;
  private long allocated;

  /** Goes on where a reader found the end. */
  IndexWriter(BlockFile file, long epoch, IndexReader end) throws IOException {
    this.file = file;
    this.epoch = epoch;
    this.position = end.position();
    this.number = end.number();
    this.before = end.before();
    this.allocated = file.size();
  }

  /**
   * Appends. The caller makes it stable before he appends again. If it fails, it can be called
   * again.
   */
  void append(List<IndexEntry> entries) throws IOException {
    int frames = (entries.size() + IndexFrame.ENTRIES_MAX - 1) / IndexFrame.ENTRIES_MAX;
    ByteBuffer out =
        ByteBuffer.allocate(frames * IndexFrame.HEAD + entries.size() * IndexEntry.BYTES);
    int checksum = before;
    for (int i = 0; i < frames; i++) {
      int from = i * IndexFrame.ENTRIES_MAX;
      int to = Math.min(entries.size(), from + IndexFrame.ENTRIES_MAX);
      var frame = new IndexFrame(number + i, epoch, number, checksum, entries.subList(from, to));
      checksum = frame.put(out);
    }
    int length = out.position();
    while (position + length > allocated) {
      file.write(ByteBuffer.allocate(GROWTH), allocated);
      allocated += GROWTH;
    }
    file.write(out.flip(), position);
    position += length;
    number += frames;
    before = checksum;
  }
}
