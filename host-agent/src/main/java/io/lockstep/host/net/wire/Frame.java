package io.lockstep.host.net.wire;

/**
 * An Ethernet frame on its way through the switch, and what is still to be done to it: a view that
 * is reused, of bytes that belong to someone else and change after the call it was passed to.
 * Whoever keeps a frame copies it.
 *
 * <p>The offload fields are those of {@code virtio_net_hdr_v1} (virtio 1.2 §5.1.6): a frame may
 * carry a checksum that is summed over the pseudo header only, and a TCP segment larger than the
 * MTU that the receiver cuts up, if it must.
 *
 * <pre>
 *  0        1         2           4          6            8             10            12
 *  +--------+---------+-----------+----------+------------+-------------+-------------+----------
 *  | flags  | gso_type| hdr_len   | gso_size | csum_start | csum_offset | num_buffers | Ethernet
 *  +--------+---------+-----------+----------+------------+-------------+-------------+----------
 *       u8       u8       u16le       u16le       u16le        u16le         u16le
 * </pre>
 */
public final class Frame {
  /** Bytes of {@code virtio_net_hdr_v1}. */
  public static final int VNET_HEADER = 12;

  /** The longest Ethernet frame taken from anyone, in bytes: QEMU's own limit. */
  public static final int MAX_LENGTH = 69_632;

  public static final int NEEDS_CHECKSUM = 1;
  public static final int DATA_VALID = 2;

  public static final int GSO_NONE = 0;
  public static final int GSO_TCPV4 = 1;
  public static final int GSO_TCPV6 = 4;
  public static final int GSO_UDP_L4 = 5;
  private static final int GSO_ECN = 0x80;

  public byte[] data = new byte[0];
  public int offset;
  public int length;

  public int flags;
  public int gsoType;
  public int gsoSize;

  /**
   * Where summing starts and, relative to that, where the sum goes; from the start of the frame.
   */
  public int checksumStart;

  public int checksumOffset;

  /** Points this view at a complete frame. */
  public Frame set(byte[] bytes, int from, int count) {
    data = bytes;
    offset = from;
    length = count;
    flags = 0;
    gsoType = GSO_NONE;
    gsoSize = 0;
    checksumStart = 0;
    checksumOffset = 0;
    return this;
  }

  /**
   * Points this view at a frame that has a {@code virtio_net_hdr_v1} before it.
   *
   * @return false if the header contradicts the frame; the frame is then to be dropped
   */
  public boolean setWithHeader(byte[] bytes, int from, int count) {
    if (count < VNET_HEADER + EtherType.HEADER) {
      return false;
    }
    set(bytes, from + VNET_HEADER, count - VNET_HEADER);
    flags = bytes[from] & (NEEDS_CHECKSUM | DATA_VALID);
    gsoType = bytes[from + 1] & 0xff & ~GSO_ECN;
    gsoSize = le16(bytes, from + 4);
    checksumStart = le16(bytes, from + 6);
    checksumOffset = le16(bytes, from + 8);
    if (needsChecksum() && checksumStart + checksumOffset + 2 > length) {
      return false;
    }
    return switch (gsoType) {
      case GSO_NONE -> true;
      case GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4 -> needsChecksum() && gsoSize > 0;
      default -> false;
    };
  }

  /** Writes the header that {@link #setWithHeader} reads. */
  public void writeHeader(byte[] b, int at) {
    b[at] = (byte) flags;
    b[at + 1] = (byte) gsoType;
    putLe16(b, at + 2, gsoType == GSO_NONE ? 0 : Offload.headerLength(this));
    putLe16(b, at + 4, gsoSize);
    putLe16(b, at + 6, checksumStart);
    putLe16(b, at + 8, checksumOffset);
    putLe16(b, at + 10, 1);
  }

  public boolean needsChecksum() {
    return (flags & NEEDS_CHECKSUM) != 0;
  }

  /** True if the sender vouches for the checksums, so that they need not be verified. */
  public boolean checksumTrusted() {
    return flags != 0;
  }

  public long destination() {
    return Bytes.u48(data, offset);
  }

  public long source() {
    return Bytes.u48(data, offset + 6);
  }

  public int etherType() {
    return Bytes.u16(data, offset + 12);
  }

  private static int le16(byte[] b, int at) {
    return b[at] & 0xff | (b[at + 1] & 0xff) << 8;
  }

  private static void putLe16(byte[] b, int at, int value) {
    b[at] = (byte) value;
    b[at + 1] = (byte) (value >>> 8);
  }
}
