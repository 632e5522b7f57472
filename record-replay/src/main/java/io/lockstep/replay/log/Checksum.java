package io.lockstep.replay.log;

import java.util.zip.CRC32C;

/** The chained checksum of frames. */
final class Checksum {
  private Checksum() {}

  /** CRC32C of the four bytes of {@code chain}, lowest first, and the given bytes. */
  static int of(CRC32C crc, int chain, byte[] bytes, int offset, int length) {
    crc.reset();
    crc.update(chain);
    crc.update(chain >>> 8);
    crc.update(chain >>> 16);
    crc.update(chain >>> 24);
    crc.update(bytes, offset, length);
    return (int) crc.getValue();
  }
}
