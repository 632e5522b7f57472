package io.lockstep.host.backend;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** Reads and writes disk images, all of a range or not at all. */
final class ImageIo {
  static final int SECTOR = 512;

  /** Zeroes are written in pieces of this size. */
  static final int ZERO_CHUNK = 1 << 20;

  private ImageIo() {}

  /** Fills a buffer with what is at a position. */
  static void read(FileChannel from, ByteBuffer into, long position) throws IOException {
    long at = position;
    while (into.hasRemaining()) {
      int n = from.read(into, at);
      if (n <= 0) {
        throw new IOException("the file ends before the disk does; somebody has shortened it");
      }
      at += n;
    }
  }

  static void write(FileChannel to, byte[] data, long position) throws IOException {
    ByteBuffer buffer = ByteBuffer.wrap(data);
    while (buffer.hasRemaining()) {
      to.write(buffer, position + buffer.position());
    }
  }
}
