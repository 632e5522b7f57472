package io.lockstep.host.net;

import io.lockstep.host.net.wire.Bytes;
import io.lockstep.host.net.wire.Frame;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** Cuts a stream into frames and control messages (the framing of {@link ControlMessage}). */
final class FrameReader {
  /** What is read is handed to this. */
  interface Consumer {
    /** A frame; false to stop reading. */
    boolean frame(byte[] data, int offset, int length);

    /** A control message; false to stop reading. */
    boolean control(byte[] data, int offset, int length);
  }

  private static final int INITIAL = 16 << 10;
  private static final int LARGEST = 256 << 10;
  private static final int READS_PER_TURN = 8;

  private final int controlMax;
  private boolean unfinished;
  private byte[] bytes = new byte[INITIAL];
  private ByteBuffer buffer = ByteBuffer.wrap(bytes);

  FrameReader(int controlMax) {
    this.controlMax = controlMax;
  }

  /**
   * Reads what is there, within limits so that others get their turn.
   *
   * @return false at the end of the stream or when the consumer said to stop
   */
  boolean read(ByteStream stream, Consumer consumer) throws IOException {
    unfinished = false;
    for (int i = 0; i < READS_PER_TURN; i++) {
      int count = stream.read(buffer);
      if (count < 0) {
        return false;
      }
      if (count == 0) {
        return true;
      }
      boolean full = !buffer.hasRemaining();
      if (!cut(consumer)) {
        return false;
      }
      if (full && bytes.length < LARGEST) {
        grow(bytes.length * 2);
      } else if (!full && stream instanceof ByteStream.Plain) {
        return true;
      }
    }
    unfinished = true;
    return true;
  }

  /**
   * True if the last {@link #read} ended because of its limit. What a decrypting stream holds then
   * is not seen by a selector, so the caller comes back by itself.
   */
  boolean isUnfinished() {
    return unfinished;
  }

  private boolean cut(Consumer consumer) throws IOException {
    int end = buffer.position();
    int at = 0;
    while (end - at >= 4) {
      int word = Bytes.i32(bytes, at);
      boolean control = word < 0;
      int length = word & ~ControlMessage.CONTROL_BIT;
      if (length > (control ? controlMax : Frame.MAX_LENGTH + Frame.VNET_HEADER)) {
        throw new IOException(
            "the peer sent a message of " + length + " bytes; that is no switch port");
      }
      if (end - at - 4 < length) {
        if (length + 4 > bytes.length) {
          compact(at, end);
          grow(Integer.highestOneBit(length + 4) * 2);
          return true;
        }
        break;
      }
      boolean more =
          control ? consumer.control(bytes, at + 4, length) : consumer.frame(bytes, at + 4, length);
      if (!more) {
        return false;
      }
      at += 4 + length;
    }
    compact(at, end);
    return true;
  }

  private void compact(int at, int end) {
    if (at > 0) {
      System.arraycopy(bytes, at, bytes, 0, end - at);
      buffer.position(end - at);
    }
  }

  private void grow(int size) {
    int position = buffer.position();
    bytes = Arrays.copyOf(bytes, Math.max(size, bytes.length));
    buffer = ByteBuffer.wrap(bytes).position(position);
  }
}
