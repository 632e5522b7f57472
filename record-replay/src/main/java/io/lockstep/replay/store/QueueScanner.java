package io.lockstep.replay.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * Reads the bytes of the excerpts of a queue's files in order, without Chronicle and without
 * mapping: whatever stands in the files, the answer is some bytes and an end. Whether they are the
 * right bytes is the log's own checksums' business.
 */
final class QueueScanner implements AutoCloseable {
  private static final int PIECE_BYTES = 64 << 10;

  private final List<Path> files;
  private final ByteBuffer header = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN);
  private final ByteBuffer piece = ByteBuffer.allocate(PIECE_BYTES);
  private int fileNumber;
  private FileChannel channel;
  private long at;
  private long fileSize;
  private long leftInExcerpt;
  private boolean cut;
  private boolean missing;

  QueueScanner(List<Path> files) {
    this.files = files;
  }

  /** The next bytes, ready to be read; null at the end. */
  ByteBuffer next() throws IOException {
    while (true) {
      if (leftInExcerpt > 0) {
        return readPiece();
      }
      if (channel == null && !openNext()) {
        return null;
      }
      nextExcerpt();
    }
  }

  /** Whether the last excerpt was unfinished or reached beyond its file. */
  boolean cut() {
    return cut;
  }

  /** Whether a file that must be there is not. */
  boolean missing() {
    return missing;
  }

  private boolean openNext() throws IOException {
    if (fileNumber == files.size()) {
      return false;
    }
    Path file = files.get(fileNumber);
    if (!file.getFileName().toString().equals(LogStoreFiles.name(fileNumber))) {
      missing = true;
      return false;
    }
    fileNumber++;
    channel = FileChannel.open(file, StandardOpenOption.READ);
    fileSize = channel.size();
    at = 0;
    return true;
  }

  private void nextExcerpt() throws IOException {
    header.clear();
    int got = 0;
    while (got < 4) {
      int n = channel.read(header, at + got);
      if (n < 0) {
        break;
      }
      got += n;
    }
    int value = got == 4 ? header.getInt(0) : 0;
    int length = value & QueueFormat.LENGTH_MASK;
    if (length == 0 || (value & QueueFormat.INCOMPLETE) != 0) {
      cut |= length != 0 || value == 0 && somethingFollows();
      endFile();
      return;
    }
    at += 4;
    if ((value & QueueFormat.INTERNAL) != 0) {
      at += align(length);
    } else {
      leftInExcerpt = length;
    }
    if (at > fileSize) {
      cut = true;
      endFile();
    }
  }

  /** Whether there are bytes other than zero behind the place where the excerpts end. */
  private boolean somethingFollows() throws IOException {
    for (long from = at; from < fileSize; ) {
      piece.clear();
      int n = channel.read(piece, from);
      if (n <= 0) {
        break;
      }
      for (int i = 0; i < n; i++) {
        if (piece.get(i) != 0) {
          return true;
        }
      }
      from += n;
    }
    return false;
  }

  private ByteBuffer readPiece() throws IOException {
    piece.clear();
    piece.limit((int) Math.min(PIECE_BYTES, leftInExcerpt));
    int n = channel.read(piece, at);
    if (n <= 0) {
      cut = true;
      endFile();
      return piece.clear().limit(0);
    }
    at += n;
    leftInExcerpt -= n;
    if (leftInExcerpt == 0) {
      at = align(at);
    }
    return piece.flip();
  }

  private void endFile() throws IOException {
    leftInExcerpt = 0;
    channel.close();
    channel = null;
  }

  private static long align(long v) {
    return v + 3 & ~3L;
  }

  @Override
  public void close() throws IOException {
    if (channel != null) {
      channel.close();
      channel = null;
    }
  }
}
