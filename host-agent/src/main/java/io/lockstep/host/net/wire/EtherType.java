package io.lockstep.host.net.wire;

/** The Ethernet header and the types that the switch and the gateway look at. */
public final class EtherType {
  /** Bytes of an Ethernet header without a VLAN tag. */
  public static final int HEADER = 14;

  public static final int IPV4 = 0x0800;
  public static final int ARP = 0x0806;
  public static final int RARP = 0x8035;
  public static final int IPV6 = 0x86dd;

  private EtherType() {}

  public static void writeHeader(byte[] b, int at, long destination, long source, int type) {
    Bytes.put48(b, at, destination);
    Bytes.put48(b, at + 6, source);
    Bytes.put16(b, at + 12, type);
  }
}
