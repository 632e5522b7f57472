package io.lockstep.vm.virtio;

/**
 * Checks and fixes of a {@code virtio_net_hdr_v1} at the start of a frame (virtio 1.2 §5.1.6).
 *
 * <pre>
 * 0 flags | 1 gso_type | 2 le16 hdr_len | 4 le16 gso_size | 6 le16 csum_start | 8 le16 csum_offset | 10 le16 num_buffers
 * </pre>
 */
final class NetHeader {
  static final int LENGTH = 12;
  static final int NUM_BUFFERS = 10;

  private static final int FLAGS = 0;
  private static final int GSO_TYPE = 1;
  private static final int GSO_SIZE = 4;
  private static final int CSUM_START = 6;
  private static final int CSUM_OFFSET = 8;

  private static final int FLAG_NEEDS_CSUM = 1;
  static final int GSO_TCPV4 = 1;
  static final int GSO_TCPV6 = 4;

  private NetHeader() {}

  /** How a frame is to be segmented; 0 if it is whole. */
  static int segmentation(byte[] frame) {
    return frame[GSO_TYPE] & 0xff;
  }

  /** Bytes of payload in each segment. */
  static int segmentSize(byte[] frame) {
    return get16(frame, GSO_SIZE);
  }

  /**
   * Whether a frame may pass to or from a guest that negotiated these offloads. A frame that asks
   * for a checksum it may not ask for gets the checksum computed in place; one to be segmented
   * cannot pass.
   *
   * @param frame header and Ethernet frame; the header is changed: fields without meaning become
   *     zero
   */
  static boolean admit(byte[] frame, boolean checksum, boolean tso4, boolean tso6) {
    boolean partial = (frame[FLAGS] & FLAG_NEEDS_CSUM) != 0;
    if (partial && !checksumFits(frame)) {
      return false;
    }
    int gso = frame[GSO_TYPE] & 0xff;
    boolean segmented = gso != 0;
    if (segmented) {
      boolean allowed = gso == GSO_TCPV4 && tso4 || gso == GSO_TCPV6 && tso6;
      if (!allowed || !partial || get16(frame, GSO_SIZE) == 0) {
        return false;
      }
    }
    if (partial && !checksum) {
      fillChecksum(frame);
      partial = false;
    }
    normalize(frame, partial, segmented);
    return true;
  }

  private static void normalize(byte[] frame, boolean partial, boolean segmented) {
    frame[FLAGS] = (byte) (partial ? FLAG_NEEDS_CSUM : 0);
    if (!segmented) {
      clear(frame, GSO_TYPE, CSUM_START);
    }
    if (!partial) {
      clear(frame, CSUM_START, NUM_BUFFERS);
    }
    clear(frame, NUM_BUFFERS, LENGTH);
  }

  private static void clear(byte[] frame, int from, int to) {
    for (int i = from; i < to; i++) {
      frame[i] = 0;
    }
  }

  private static boolean checksumFits(byte[] frame) {
    return LENGTH + get16(frame, CSUM_START) + get16(frame, CSUM_OFFSET) + 2 <= frame.length;
  }

  /**
   * The field holds the pseudo header's sum; the ones' complement sum from {@code csum_start} to
   * the end replaces it.
   */
  private static void fillChecksum(byte[] frame) {
    int start = LENGTH + get16(frame, CSUM_START);
    long sum = 0;
    for (int i = start; i < frame.length; i += 2) {
      sum += (frame[i] & 0xff) << 8 | (i + 1 < frame.length ? frame[i + 1] & 0xff : 0);
    }
    while (sum >>> 16 != 0) {
      sum = (sum & 0xffff) + (sum >>> 16);
    }
    int checksum = (int) ~sum & 0xffff;
    // RFC 768: a computed zero is sent as all ones; for TCP both mean the same.
    int field = checksum == 0 ? 0xffff : checksum;
    int at = start + get16(frame, CSUM_OFFSET);
    frame[at] = (byte) (field >>> 8);
    frame[at + 1] = (byte) field;
  }

  private static int get16(byte[] frame, int at) {
    return frame[at] & 0xff | (frame[at + 1] & 0xff) << 8;
  }
}
