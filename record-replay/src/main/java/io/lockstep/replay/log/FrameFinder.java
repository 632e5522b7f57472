package io.lockstep.replay.log;

import java.util.zip.CRC32C;

/**
 * Looks for a frame in bytes of which the beginning is damaged. A frame's checksum covers the
 * checksum before it, and that stands right before the frame, so a frame can be recognised without
 * what came earlier. Only used to tell a damaged tail from damage inside; what is found is never
 * replayed.
 */
public final class FrameFinder {
  /** How far it is worth looking. */
  public static final int WINDOW_BYTES = 256 << 10;

  private static final int BODY_BYTES_MAX = 4096;

  private FrameFinder() {}

  /** Whether one of the first {@code length} bytes begins a sound frame. */
  public static boolean findsSoundFrame(byte[] bytes, int length) {
    CRC32C crc = new CRC32C();
    int window = Math.min(length, WINDOW_BYTES);
    for (int at = FrameType.CHECKSUM_BYTES; at < window; at++) {
      int low = bytes[at] & 0xff;
      int cursor = at + 1;
      int prefix = low & 0x7f;
      if (low >= 0x80 && cursor < window) {
        prefix |= (bytes[cursor] & 0x7f) << 7;
        if (bytes[cursor] < 0) {
          if (cursor + 1 >= window || bytes[cursor + 1] < 0) {
            continue;
          }
          prefix |= bytes[cursor + 1] << 14;
          cursor++;
        }
        cursor++;
      }
      int body = prefix >>> FrameType.BITS;
      int type = prefix & (1 << FrameType.BITS) - 1;
      int end = cursor + body;
      if (type != 0
          && type != FrameType.HEADER
          && body > 0
          && body <= BODY_BYTES_MAX
          && end + FrameType.CHECKSUM_BYTES <= window
          && Checksum.of(crc, int32(bytes, at - FrameType.CHECKSUM_BYTES), bytes, at, end - at)
              == int32(bytes, end)) {
        return true;
      }
    }
    return false;
  }

  private static int int32(byte[] b, int i) {
    return b[i] & 0xff | (b[i + 1] & 0xff) << 8 | (b[i + 2] & 0xff) << 16 | b[i + 3] << 24;
  }
}
