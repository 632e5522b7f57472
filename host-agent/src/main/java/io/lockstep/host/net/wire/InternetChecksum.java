package io.lockstep.host.net.wire;

/** The ones-complement sum of IPv4, ICMP, UDP and TCP (RFC 1071). */
public final class InternetChecksum {
  private InternetChecksum() {}

  /**
   * Adds a range to a running sum. Ranges added one after the other must start at even distances,
   * as the fields of packets do.
   *
   * @return an unfolded sum, to be passed on or given to {@link #finish}
   */
  public static long add(long sum, byte[] b, int offset, int length) {
    int at = offset;
    int end = offset + length;
    long total = sum;
    while (end - at >= 16) {
      total +=
          Bytes.u32(b, at) + Bytes.u32(b, at + 4) + Bytes.u32(b, at + 8) + Bytes.u32(b, at + 12);
      at += 16;
    }
    while (end - at >= 2) {
      total += Bytes.u16(b, at);
      at += 2;
    }
    if (at < end) {
      total += Bytes.u8(b, at) << 8;
    }
    return total;
  }

  /**
   * Folds a sum to 16 bits without complementing it: the form of a partial (pseudo header)
   * checksum.
   */
  public static int fold(long sum) {
    long s = sum;
    while (s >>> 16 != 0) {
      s = (s & 0xffff) + (s >>> 16);
    }
    return (int) s;
  }

  /** The checksum field for a sum. */
  public static int finish(long sum) {
    return ~fold(sum) & 0xffff;
  }

  /** The checksum field over one range. */
  public static int of(byte[] b, int offset, int length) {
    return finish(add(0, b, offset, length));
  }

  /** The unfolded sum of the IPv4 pseudo header (RFC 9293 §3.1). */
  public static long pseudoHeader(int source, int destination, int protocol, int length) {
    return (source >>> 16)
        + (source & 0xffff)
        + (destination >>> 16)
        + (destination & 0xffff)
        + protocol
        + (long) length;
  }
}
