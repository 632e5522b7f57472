package io.lockstep.host.net.wire;

/** IPv4 constants, header access and addresses, held as ints in network order. */
public final class Ipv4 {
  public static final int HEADER = 20;
  public static final int ICMP = 1;
  public static final int TCP = 6;
  public static final int UDP = 17;
  public static final int DONT_FRAGMENT = 0x4000;
  public static final int MORE_FRAGMENTS = 0x2000;
  private static final int TTL = 64;

  private Ipv4() {}

  public static int address(int a, int b, int c, int d) {
    return a << 24 | b << 16 | c << 8 | d;
  }

  public static int fromBytes(byte[] address) {
    return Bytes.i32(address, 0);
  }

  public static byte[] toBytes(int address) {
    byte[] bytes = new byte[4];
    Bytes.put32(bytes, 0, address);
    return bytes;
  }

  public static String format(int address) {
    return (address >>> 24)
        + "."
        + (address >>> 16 & 0xff)
        + "."
        + (address >>> 8 & 0xff)
        + "."
        + (address & 0xff);
  }

  /**
   * Reads a dotted quad.
   *
   * @throws IllegalArgumentException with a sentence for the user
   */
  public static int parse(String text) {
    String[] parts = text.split("\\.", -1);
    int address = 0;
    boolean good = parts.length == 4;
    for (int i = 0; good && i < 4; i++) {
      good = parts[i].matches("\\d{1,3}") && Integer.parseInt(parts[i]) < 256;
      address = good ? address << 8 | Integer.parseInt(parts[i]) : 0;
    }
    if (!good) {
      throw new IllegalArgumentException("'" + text + "' is not an IPv4 address like 10.0.2.15");
    }
    return address;
  }

  /** Writes a 20-byte header with its checksum (RFC 791 §3.1). */
  public static void writeHeader(
      byte[] b,
      int at,
      int protocol,
      int source,
      int destination,
      int totalLength,
      int id,
      int fragment) {
    b[at] = 0x45;
    b[at + 1] = 0;
    Bytes.put16(b, at + 2, totalLength);
    Bytes.put16(b, at + 4, id);
    Bytes.put16(b, at + 6, fragment);
    b[at + 8] = TTL;
    b[at + 9] = (byte) protocol;
    Bytes.put16(b, at + 10, 0);
    Bytes.put32(b, at + 12, source);
    Bytes.put32(b, at + 16, destination);
    Bytes.put16(b, at + 10, InternetChecksum.of(b, at, HEADER));
  }
}
