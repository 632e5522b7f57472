package io.lockstep.vm.virtio;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Cuts a TCP segment that is larger than what fits on a wire into whole frames with complete
 * checksums, for drivers that have not negotiated large ones.
 *
 * <p>The device does it so that nobody outside of the machine has to know what its driver takes:
 * the same arrival has the same effect in a recording, on a secondary and after go-live.
 */
final class SegmentCutter {
  private static final int ETHERNET = NetHeader.LENGTH;
  private static final int IP = ETHERNET + 14;
  private static final int IPV6_HEADER = 40;
  private static final int TCP_HEADER_MIN = 20;

  /** 64 KB at the smallest segment size in use (RFC 9293: 536, Linux goes down to 48). */
  private static final int PIECES_MAX = 1400;

  private static final int TYPE_IPV4 = 0x0800;
  private static final int TYPE_IPV6 = 0x86dd;
  private static final int PROTOCOL_TCP = 6;
  private static final int FIN_AND_PSH = 0x09;
  private static final int CWR = 0x80;

  private final byte[] whole;
  private final boolean v6;
  private final int tcp;
  private final int payload;

  private SegmentCutter(byte[] whole, boolean v6, int tcp, int payload) {
    this.whole = whole;
    this.v6 = v6;
    this.tcp = tcp;
    this.payload = payload;
  }

  /**
   * The frames, each behind a header that asks for nothing.
   *
   * @param frame header and Ethernet frame, with segmentation asked for
   * @return empty if it is no TCP segment or its lengths make no sense
   */
  static List<byte[]> cut(byte[] frame) {
    int type = NetHeader.segmentation(frame);
    int size = NetHeader.segmentSize(frame);
    if (size == 0 || type != NetHeader.GSO_TCPV4 && type != NetHeader.GSO_TCPV6) {
      return List.of();
    }
    boolean v6 = type == NetHeader.GSO_TCPV6;
    int tcp = v6 ? tcpInIpv6(frame) : tcpInIpv4(frame);
    if (tcp == 0 || tcp + TCP_HEADER_MIN > frame.length) {
      return List.of();
    }
    int header = (frame[tcp + 12] >>> 4 & 15) * 4;
    int payload = tcp + header;
    int pieces = Math.max(1, (frame.length - payload + size - 1) / size);
    if (header < TCP_HEADER_MIN || payload > frame.length || pieces > PIECES_MAX) {
      return List.of();
    }
    SegmentCutter cutter = new SegmentCutter(frame, v6, tcp, payload);
    return IntStream.range(0, pieces).mapToObj(i -> cutter.piece(i, size)).toList();
  }

  private static int tcpInIpv4(byte[] frame) {
    if (frame.length < IP + 20
        || get16(frame, IP - 2) != TYPE_IPV4
        || frame[IP + 9] != PROTOCOL_TCP) {
      return 0;
    }
    int header = (frame[IP] & 15) * 4;
    return header < 20 ? 0 : IP + header;
  }

  private static int tcpInIpv6(byte[] frame) {
    boolean fits =
        frame.length >= IP + IPV6_HEADER
            && get16(frame, IP - 2) == TYPE_IPV6
            && frame[IP + 6] == PROTOCOL_TCP;
    return fits ? IP + IPV6_HEADER : 0;
  }

  private byte[] piece(int number, int size) {
    int from = payload + number * size;
    int to = Math.min(whole.length, from + size);
    byte[] piece = Arrays.copyOf(whole, payload + to - from);
    Arrays.fill(piece, 0, NetHeader.LENGTH, (byte) 0);
    System.arraycopy(whole, from, piece, payload, to - from);
    put32(piece, tcp + 4, get32(whole, tcp + 4) + number * size);
    int flags = piece[tcp + 13] & (to == whole.length ? 0xff : ~FIN_AND_PSH);
    piece[tcp + 13] = (byte) (number == 0 ? flags : flags & ~CWR);
    finish(piece, number);
    return piece;
  }

  private void finish(byte[] piece, int number) {
    int length = piece.length - tcp;
    long pseudo = PROTOCOL_TCP + (long) length;
    if (v6) {
      put16(piece, IP + 4, length);
      pseudo += sum(piece, IP + 8, IP + IPV6_HEADER);
    } else {
      put16(piece, IP + 2, piece.length - IP);
      put16(piece, IP + 4, get16(whole, IP + 4) + number);
      put16(piece, IP + 10, 0);
      put16(piece, IP + 10, complement(sum(piece, IP, tcp)));
      pseudo += sum(piece, IP + 12, IP + 20);
    }
    put16(piece, tcp + 16, 0);
    put16(piece, tcp + 16, complement(pseudo + sum(piece, tcp, piece.length)));
  }

  /** The sum of 16-bit words, an odd last byte filled up with zero (RFC 1071). */
  private static long sum(byte[] b, int from, int to) {
    long sum = 0;
    for (int i = from; i < to; i += 2) {
      sum += (b[i] & 0xff) << 8 | (i + 1 < to ? b[i + 1] & 0xff : 0);
    }
    return sum;
  }

  private static int complement(long sum) {
    long folded = sum;
    while (folded >>> 16 != 0) {
      folded = (folded & 0xffff) + (folded >>> 16);
    }
    return (int) ~folded & 0xffff;
  }

  private static int get16(byte[] b, int at) {
    return (b[at] & 0xff) << 8 | b[at + 1] & 0xff;
  }

  private static int get32(byte[] b, int at) {
    return get16(b, at) << 16 | get16(b, at + 2);
  }

  private static void put16(byte[] b, int at, int value) {
    b[at] = (byte) (value >>> 8);
    b[at + 1] = (byte) value;
  }

  private static void put32(byte[] b, int at, int value) {
    put16(b, at, value >>> 16);
    put16(b, at + 2, value);
  }
}
