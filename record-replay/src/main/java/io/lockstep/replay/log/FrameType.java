package io.lockstep.replay.log;

/**
 * The low four bits of a frame's first varint. The numbers are part of the format; 0 is never
 * written, so that zeroed bytes are no frame.
 */
final class FrameType {
  static final int CLOCK_AS_BEFORE = 1;
  static final int CLOCK = 2;
  static final int CONSOLE_INPUT = 3;
  static final int BLOCK_COMPLETION = 4;
  static final int PACKET = 5;
  static final int PACKET_PLAIN = 6;
  static final int ENTROPY = 7;
  static final int CONTROL = 8;
  static final int OUTPUT_MARK = 9;
  static final int DIGEST = 10;
  static final int EPOCH = 11;
  static final int FLUSH = 12;
  static final int SNAPSHOT_MARK = 13;
  static final int END = 14;
  static final int HEADER = 15;

  /** Bits that the type takes in the first varint. */
  static final int BITS = 4;

  /**
   * The longest body, in bytes: the longest disk read (16 MiB) and room for the fields before it. A
   * reader refuses longer claims at once, so that no damaged length makes it wait for, or allocate,
   * gigabytes.
   */
  static final int MAX_BODY = (16 << 20) + 256;

  /** The first four body bytes of a header: "LKSL". */
  static final int MAGIC = 'L' | 'K' << 8 | 'S' << 16 | 'L' << 24;

  /** Bytes of the checksum that ends a frame. */
  static final int CHECKSUM_BYTES = 4;

  /** The longest first varint: {@link #MAX_BODY} and the type take 29 bits. */
  static final int MAX_PREFIX_BYTES = 5;

  /**
   * The length of the all-zero packet header that {@link #PACKET_PLAIN} leaves out (virtio 1.2
   * §5.1.6).
   */
  static final int PLAIN_HEADER_BYTES = 12;

  private FrameType() {}
}
