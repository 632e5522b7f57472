package io.lockstep.host.net.wire;

import java.util.function.Consumer;

/**
 * Does in software what a frame still asks for, when the one who gets it didn't offer to: completes
 * partial checksums and cuts large TCP segments to size. Frames come from guests, so every length
 * is checked; what makes no sense is dropped.
 */
public final class Offload {
  /** Receiver abilities, a bit set. The values are on the wire (docs/network.md). */
  public static final int CHECKSUM = 1;

  public static final int TSO4 = 2;
  public static final int TSO6 = 4;
  public static final int USO = 8;
  public static final int ALL = CHECKSUM | TSO4 | TSO6 | USO;
  public static final int NONE = 0;

  /**
   * What a machine's card takes, whatever its driver has negotiated: the device itself completes
   * and cuts what the driver doesn't take.
   */
  public static final int MACHINE = CHECKSUM | TSO4 | TSO6;

  private static final int IPV6_HEADER = 40;

  /**
   * 64 KB at the smallest segment size that Linux uses; more would only make the switch work for
   * nothing.
   */
  private static final int PIECES_MAX = 2048;

  private static final int TCP_FIN_PSH = 0x09;
  private static final int TCP_CWR = 0x80;

  private Offload() {}

  /**
   * Hands the frame on in a form that the receiver takes: as it is, with its checksum completed, or
   * in pieces.
   *
   * @param abilities the receiver's {@link #CHECKSUM}, {@link #TSO4}, ... bits
   * @param scratch at least {@link Frame#MAX_LENGTH} bytes, overwritten; what the receiver sees
   *     lies in there
   * @param work a frame view to use for what is handed on
   * @return false if the frame was malformed and nothing was handed on
   */
  public static boolean adapt(
      Frame frame, int abilities, byte[] scratch, Frame work, Consumer<Frame> receiver) {
    if (frame.gsoType != Frame.GSO_NONE) {
      int wanted =
          switch (frame.gsoType) {
            case Frame.GSO_TCPV4 -> TSO4;
            case Frame.GSO_TCPV6 -> TSO6;
            default -> USO;
          };
      if ((abilities & wanted) != 0) {
        receiver.accept(frame);
        return true;
      }
      return segment(frame, scratch, work, receiver);
    }
    if (!frame.needsChecksum() || (abilities & CHECKSUM) != 0) {
      receiver.accept(frame);
      return true;
    }
    if (frame.length > scratch.length) {
      return false;
    }
    System.arraycopy(frame.data, frame.offset, scratch, 0, frame.length);
    completeChecksum(scratch, 0, frame.length, frame.checksumStart, frame.checksumOffset);
    receiver.accept(work.set(scratch, 0, frame.length));
    return true;
  }

  /** Sums from {@code start} to the end; the field holds the sum of the pseudo header. */
  public static void completeChecksum(byte[] b, int at, int length, int start, int offset) {
    int sum = InternetChecksum.of(b, at + start, length - start);
    // UDP transmits a zero sum as ones (RFC 768); in TCP the two are equal.
    Bytes.put16(b, at + start + offset, sum == 0 ? 0xffff : sum);
  }

  /**
   * Bytes of all headers of a frame with segmentation asked for, or 0 if they don't fit its kind or
   * its length.
   */
  static int headerLength(Frame f) {
    byte[] b = f.data;
    int transport;
    if (f.gsoType == Frame.GSO_TCPV6
        || f.gsoType == Frame.GSO_UDP_L4 && f.etherType() == EtherType.IPV6) {
      transport = EtherType.HEADER + IPV6_HEADER;
      int next = f.gsoType == Frame.GSO_UDP_L4 ? Ipv4.UDP : Ipv4.TCP;
      if (f.length < transport + 20
          || f.etherType() != EtherType.IPV6
          || Bytes.u8(b, f.offset + 20) != next) {
        return 0;
      }
    } else {
      if (f.length < EtherType.HEADER + Ipv4.HEADER || f.etherType() != EtherType.IPV4) {
        return 0;
      }
      int ipHeader = (b[f.offset + EtherType.HEADER] & 15) * 4;
      transport = EtherType.HEADER + ipHeader;
      int next = f.gsoType == Frame.GSO_UDP_L4 ? Ipv4.UDP : Ipv4.TCP;
      if (ipHeader < Ipv4.HEADER
          || Bytes.u8(b, f.offset + EtherType.HEADER + 9) != next
          || f.length < transport + 8) {
        return 0;
      }
    }
    if (f.gsoType == Frame.GSO_UDP_L4) {
      return f.length < transport + 8 ? 0 : transport + 8;
    }
    if (f.length < transport + 20) {
      return 0;
    }
    int tcpHeader = (Bytes.u8(b, f.offset + transport + 12) >>> 4) * 4;
    return tcpHeader < 20 || f.length < transport + tcpHeader ? 0 : transport + tcpHeader;
  }

  private static boolean segment(Frame f, byte[] scratch, Frame work, Consumer<Frame> receiver) {
    int headers = headerLength(f);
    boolean udp = f.gsoType == Frame.GSO_UDP_L4;
    boolean v6 = f.etherType() == EtherType.IPV6;
    if (headers == 0
        || headers + f.gsoSize > scratch.length
        || (f.length - headers) / f.gsoSize > PIECES_MAX) {
      return false;
    }
    int transport =
        v6 ? EtherType.HEADER + IPV6_HEADER : EtherType.HEADER + (f.data[f.offset + 14] & 15) * 4;
    int payload = f.length - headers;
    int flags = udp ? 0 : Bytes.u8(f.data, f.offset + transport + 13);
    int sequence = udp ? 0 : Bytes.i32(f.data, f.offset + transport + 4);
    int id = v6 ? 0 : Bytes.u16(f.data, f.offset + EtherType.HEADER + 4);
    System.arraycopy(f.data, f.offset, scratch, 0, headers);
    for (int done = 0, piece = 0; done < payload || piece == 0; piece++) {
      int size = Math.min(f.gsoSize, payload - done);
      System.arraycopy(f.data, f.offset + headers + done, scratch, headers, size);
      if (udp) {
        Bytes.put16(scratch, transport + 4, 8 + size);
      } else {
        boolean last = done + size == payload;
        int pieceFlags = (last ? flags : flags & ~TCP_FIN_PSH) & (piece == 0 ? ~0 : ~TCP_CWR);
        scratch[transport + 13] = (byte) pieceFlags;
        Bytes.put32(scratch, transport + 4, sequence + done);
      }
      finishPiece(scratch, v6, transport, headers + size, id + piece, udp);
      receiver.accept(work.set(scratch, 0, headers + size));
      done += size;
    }
    return true;
  }

  private static void finishPiece(
      byte[] b, boolean v6, int transport, int length, int id, boolean udp) {
    int upper = length - transport;
    int protocol = udp ? Ipv4.UDP : Ipv4.TCP;
    long sum = protocol + (long) upper;
    if (v6) {
      Bytes.put16(b, EtherType.HEADER + 4, upper);
      sum = InternetChecksum.add(sum, b, EtherType.HEADER + 8, 32);
    } else {
      Bytes.put16(b, EtherType.HEADER + 2, length - EtherType.HEADER);
      Bytes.put16(b, EtherType.HEADER + 4, id);
      Bytes.put16(b, EtherType.HEADER + 10, 0);
      Bytes.put16(
          b,
          EtherType.HEADER + 10,
          InternetChecksum.of(b, EtherType.HEADER, transport - EtherType.HEADER));
      sum = InternetChecksum.add(sum, b, EtherType.HEADER + 12, 8);
    }
    int field = transport + (udp ? 6 : 16);
    Bytes.put16(b, field, 0);
    int checksum = InternetChecksum.finish(InternetChecksum.add(sum, b, transport, upper));
    Bytes.put16(b, field, checksum == 0 && udp ? 0xffff : checksum);
  }
}
