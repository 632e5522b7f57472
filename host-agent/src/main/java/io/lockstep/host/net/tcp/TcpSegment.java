package io.lockstep.host.net.tcp;

import io.lockstep.host.net.wire.Bytes;

/**
 * A TCP segment's header fields and where its payload lies (RFC 9293 §3.1). A view that is reused:
 * whoever gets one copies what it keeps.
 */
public final class TcpSegment {
  public static final int FIN = 1;
  public static final int SYN = 2;
  public static final int RST = 4;
  public static final int PSH = 8;
  public static final int ACK = 16;

  public static final int HEADER = 20;
  public static final int SACK_BLOCKS_MAX = 4;

  private static final int OPTION_END = 0;
  private static final int OPTION_NOP = 1;
  private static final int OPTION_MSS = 2;
  private static final int OPTION_WINDOW_SCALE = 3;
  private static final int OPTION_SACK_PERMITTED = 4;
  private static final int OPTION_SACK = 5;

  public int sourcePort;
  public int destinationPort;
  public int sequence;
  public int acknowledgment;
  public int flags;

  /** The field as it is on the wire, not scaled. */
  public int window;

  /** Maximum segment size, or -1 without the option. */
  public int mss = -1;

  /** Window scale (RFC 7323 §2), or -1 without the option. */
  public int windowScale = -1;

  public boolean sackPermitted;

  /** Left and right edges in turns (RFC 2018 §3). */
  public final int[] sack = new int[2 * SACK_BLOCKS_MAX];

  public int sackBlocks;

  public byte[] data = new byte[0];
  public int offset;
  public int length;

  public boolean has(int flag) {
    return (flags & flag) != 0;
  }

  void clear() {
    flags = 0;
    acknowledgment = 0;
    mss = -1;
    windowScale = -1;
    sackPermitted = false;
    sackBlocks = 0;
    length = 0;
  }

  /**
   * Reads a segment that fills the given range.
   *
   * @return false if it is malformed
   */
  public boolean parse(byte[] b, int at, int count) {
    if (count < HEADER) {
      return false;
    }
    int header = (Bytes.u8(b, at + 12) >>> 4) * 4;
    if (header < HEADER || header > count) {
      return false;
    }
    clear();
    sourcePort = Bytes.u16(b, at);
    destinationPort = Bytes.u16(b, at + 2);
    sequence = Bytes.i32(b, at + 4);
    acknowledgment = Bytes.i32(b, at + 8);
    flags = Bytes.u8(b, at + 13) & 0x3f;
    window = Bytes.u16(b, at + 14);
    data = b;
    offset = at + header;
    length = count - header;
    return parseOptions(b, at + HEADER, at + header);
  }

  private boolean parseOptions(byte[] b, int from, int end) {
    int at = from;
    while (at < end) {
      int kind = b[at];
      if (kind == OPTION_END) {
        return true;
      }
      if (kind == OPTION_NOP) {
        at++;
        continue;
      }
      if (at + 1 >= end) {
        return false;
      }
      int size = Bytes.u8(b, at + 1);
      if (size < 2 || at + size > end) {
        return false;
      }
      option(kind, size, b, at);
      at += size;
    }
    return true;
  }

  private void option(int kind, int size, byte[] b, int at) {
    if (kind == OPTION_MSS && size == 4) {
      mss = Bytes.u16(b, at + 2);
    } else if (kind == OPTION_WINDOW_SCALE && size == 3) {
      windowScale = Math.min(14, Bytes.u8(b, at + 2));
    } else if (kind == OPTION_SACK_PERMITTED && size == 2) {
      sackPermitted = true;
    } else if (kind == OPTION_SACK) {
      sackBlocks = Math.min(SACK_BLOCKS_MAX, (size - 2) / 8);
      for (int i = 0; i < 2 * sackBlocks; i++) {
        sack[i] = Bytes.i32(b, at + 2 + 4 * i);
      }
    }
  }

  /** Bytes of the header with the options that are set. */
  public int headerLength() {
    int options = (mss >= 0 ? 4 : 0) + (windowScale >= 0 ? 4 : 0) + (sackPermitted ? 4 : 0);
    return HEADER + options + (sackBlocks > 0 ? 4 + 8 * sackBlocks : 0);
  }

  /** Writes the header with a zero checksum. */
  public void writeHeader(byte[] b, int at) {
    Bytes.put16(b, at, sourcePort);
    Bytes.put16(b, at + 2, destinationPort);
    Bytes.put32(b, at + 4, sequence);
    Bytes.put32(b, at + 8, acknowledgment);
    b[at + 12] = (byte) (headerLength() / 4 << 4);
    b[at + 13] = (byte) flags;
    Bytes.put16(b, at + 14, window);
    Bytes.put32(b, at + 16, 0);
    int option = at + HEADER;
    if (mss >= 0) {
      Bytes.put32(b, option, OPTION_MSS << 24 | 4 << 16 | mss);
      option += 4;
    }
    if (windowScale >= 0) {
      Bytes.put32(b, option, OPTION_NOP << 24 | OPTION_WINDOW_SCALE << 16 | 3 << 8 | windowScale);
      option += 4;
    }
    if (sackPermitted) {
      Bytes.put32(b, option, OPTION_NOP << 24 | OPTION_NOP << 16 | OPTION_SACK_PERMITTED << 8 | 2);
      option += 4;
    }
    if (sackBlocks > 0) {
      Bytes.put32(
          b, option, OPTION_NOP << 24 | OPTION_NOP << 16 | OPTION_SACK << 8 | 2 + 8 * sackBlocks);
      for (int i = 0; i < 2 * sackBlocks; i++) {
        Bytes.put32(b, option + 4 + 4 * i, sack[i]);
      }
    }
  }
}
