package io.lockstep.host.net;

import io.lockstep.host.net.wire.Bytes;
import io.lockstep.host.net.wire.Frame;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Bytes that wait to be written to a stream: bounded, and written together. */
final class OutQueue {
  private static final int INITIAL = 64 << 10;

  private final int limit; // a power of two
  private final byte[] header = new byte[4 + Frame.VNET_HEADER];
  private ByteBuffer buffer = ByteBuffer.allocateDirect(INITIAL);
  // buffer's position is where the next byte goes in, out is where the next one comes from
  private int out;

  OutQueue(int limit) {
    this.limit = limit;
  }

  int size() {
    return buffer.position() - out;
  }

  /**
   * Adds a frame with its length before it, and its offload header if asked for; false if it
   * doesn't fit.
   */
  boolean add(Frame frame, boolean withHeader) {
    int extra = withHeader ? Frame.VNET_HEADER : 0;
    if (!reserve(4 + extra + frame.length)) {
      return false;
    }
    Bytes.put32(header, 0, extra + frame.length);
    if (withHeader) {
      frame.writeHeader(header, 4);
    }
    buffer.put(header, 0, 4 + extra).put(frame.data, frame.offset, frame.length);
    return true;
  }

  /** Adds a length word and bytes. */
  boolean add(byte[] bytes, int offset, int length) {
    if (!reserve(4 + length)) {
      return false;
    }
    buffer.putInt(length).put(bytes, offset, length);
    return true;
  }

  /** Adds bytes as they are. */
  boolean addRaw(byte[] bytes) {
    if (!reserve(bytes.length)) {
      return false;
    }
    buffer.put(bytes);
    return true;
  }

  void clear() {
    buffer.clear();
    out = 0;
  }

  /** Writes what can be written; true if nothing is left. */
  boolean flush(ByteStream stream) throws IOException {
    int end = buffer.position();
    buffer.position(out).limit(end);
    try {
      return stream.write(buffer);
    } finally {
      out = buffer.position();
      buffer.limit(buffer.capacity()).position(end);
      if (out == end) {
        buffer.clear();
        out = 0;
      }
    }
  }

  private boolean reserve(int count) {
    if (buffer.remaining() >= count) {
      return true;
    }
    if (size() + count > limit) {
      return false;
    }
    int end = buffer.position();
    ByteBuffer waiting = buffer.duplicate().position(out).limit(end);
    int capacity = buffer.capacity();
    if (size() + count <= capacity / 2 || capacity >= limit) {
      buffer.clear();
      buffer.put(waiting.slice());
    } else {
      do {
        capacity *= 2;
      } while (capacity < size() + count);
      buffer = ByteBuffer.allocateDirect(capacity).put(waiting);
    }
    out = 0;
    return true;
  }
}
