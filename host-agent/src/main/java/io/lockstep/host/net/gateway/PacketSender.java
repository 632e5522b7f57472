package io.lockstep.host.net.gateway;

import io.lockstep.host.net.L2Switch;
import io.lockstep.host.net.tcp.TcpSegment;
import io.lockstep.host.net.wire.Bytes;
import io.lockstep.host.net.wire.EtherType;
import io.lockstep.host.net.wire.Frame;
import io.lockstep.host.net.wire.InternetChecksum;
import io.lockstep.host.net.wire.Ipv4;
import io.lockstep.host.net.wire.Mac;
import java.util.Arrays;

/**
 * Builds the gateway's packets, in one array in front of their payload, and puts them into the
 * switch.
 */
final class PacketSender {
  /** Room for headers in front of a payload. */
  static final int HEADROOM = 128;

  private static final int MTU = 1500;
  private static final int UDP_HEADER = 8;
  private static final long ASK_INTERVAL = 100_000_000L;

  private final L2Switch.Attachment attachment;
  private final byte[] scratch = new byte[HEADROOM + Frame.MAX_LENGTH];
  private final byte[] piece = new byte[EtherType.HEADER + MTU];
  private final Frame frame = new Frame();
  private int nextId;

  PacketSender(L2Switch.Attachment attachment) {
    this.attachment = attachment;
  }

  byte[] payloadArray() {
    return scratch;
  }

  /**
   * Sends a TCP segment whose payload lies at {@link #HEADROOM}. Summing the payload and cutting it
   * to size is left to the port it goes to.
   */
  void sendTcp(Guest guest, int source, TcpSegment s, int segmentSize, long now) {
    int tcpHeader = s.headerLength();
    int tcp = HEADROOM - tcpHeader;
    int ip = tcp - Ipv4.HEADER;
    int tcpLength = tcpHeader + s.length;
    s.writeHeader(scratch, tcp);
    long pseudo = InternetChecksum.pseudoHeader(source, guest.address, Ipv4.TCP, tcpLength);
    Bytes.put16(scratch, tcp + 16, InternetChecksum.fold(pseudo));
    Ipv4.writeHeader(
        scratch,
        ip,
        Ipv4.TCP,
        source,
        guest.address,
        Ipv4.HEADER + tcpLength,
        nextId++,
        Ipv4.DONT_FRAGMENT);
    if (guest.mac == 0) {
      ask(guest, now); // TCP repeats it
      return;
    }
    int start = ip - EtherType.HEADER;
    EtherType.writeHeader(scratch, start, guest.mac, UserGateway.MAC, EtherType.IPV4);
    frame.set(scratch, start, EtherType.HEADER + Ipv4.HEADER + tcpLength);
    frame.flags = Frame.NEEDS_CHECKSUM;
    frame.checksumStart = EtherType.HEADER + Ipv4.HEADER;
    frame.checksumOffset = 16;
    if (s.length > segmentSize) {
      frame.gsoType = Frame.GSO_TCPV4;
      frame.gsoSize = segmentSize;
    }
    attachment.receive(frame);
  }

  /** Sends a UDP datagram whose payload lies at {@link #HEADROOM}. */
  void sendUdp(Guest guest, int source, int sourcePort, int port, int length, long now) {
    int udp = HEADROOM - UDP_HEADER;
    writeUdp(udp, source, sourcePort, guest.address, port, length);
    sendIp(guest, source, Ipv4.UDP, udp, UDP_HEADER + length, now);
  }

  /** Sends a UDP datagram from the gateway to an address that need not be a guest's yet. */
  void sendUdpTo(long mac, int address, int sourcePort, int port, byte[] payload) {
    System.arraycopy(payload, 0, scratch, HEADROOM, payload.length);
    int udp = HEADROOM - UDP_HEADER;
    writeUdp(udp, UserGateway.GATEWAY, sourcePort, address, port, payload.length);
    int ip = udp - Ipv4.HEADER;
    int total = Ipv4.HEADER + UDP_HEADER + payload.length;
    Ipv4.writeHeader(scratch, ip, Ipv4.UDP, UserGateway.GATEWAY, address, total, nextId++, 0);
    int start = ip - EtherType.HEADER;
    EtherType.writeHeader(scratch, start, mac, UserGateway.MAC, EtherType.IPV4);
    attachment.receive(frame.set(scratch, start, EtherType.HEADER + total));
  }

  private void writeUdp(int at, int source, int sourcePort, int destination, int port, int length) {
    Bytes.put16(scratch, at, sourcePort);
    Bytes.put16(scratch, at + 2, port);
    Bytes.put16(scratch, at + 4, UDP_HEADER + length);
    Bytes.put16(scratch, at + 6, 0);
    long pseudo = InternetChecksum.pseudoHeader(source, destination, Ipv4.UDP, UDP_HEADER + length);
    int sum =
        InternetChecksum.finish(InternetChecksum.add(pseudo, scratch, at, UDP_HEADER + length));
    Bytes.put16(scratch, at + 6, sum == 0 ? 0xffff : sum);
  }

  /**
   * Sends what lies in the array at {@code at}, at least 34 bytes into it, as an IPv4 packet, in
   * fragments if need be.
   */
  void sendIp(Guest guest, int source, int protocol, int at, int length, long now) {
    int id = nextId++;
    int most = MTU - Ipv4.HEADER & ~7;
    if (length + Ipv4.HEADER <= MTU) {
      int ip = at - Ipv4.HEADER;
      Ipv4.writeHeader(scratch, ip, protocol, source, guest.address, Ipv4.HEADER + length, id, 0);
      sendFrame(
          guest, scratch, ip - EtherType.HEADER, EtherType.HEADER + Ipv4.HEADER + length, now);
      return;
    }
    for (int done = 0; done < length; done += most) {
      int size = Math.min(most, length - done);
      int fragment = done / 8 | (done + size < length ? Ipv4.MORE_FRAGMENTS : 0);
      int total = Ipv4.HEADER + size;
      Ipv4.writeHeader(
          piece, EtherType.HEADER, protocol, source, guest.address, total, id, fragment);
      System.arraycopy(scratch, at + done, piece, EtherType.HEADER + Ipv4.HEADER, size);
      sendFrame(guest, piece, 0, EtherType.HEADER + total, now);
    }
  }

  private void sendFrame(Guest guest, byte[] b, int start, int length, long now) {
    EtherType.writeHeader(b, start, guest.mac, UserGateway.MAC, EtherType.IPV4);
    if (guest.mac == 0) {
      guest.keepPending(Arrays.copyOfRange(b, start, start + length));
      ask(guest, now);
    } else {
      attachment.receive(frame.set(b, start, length));
    }
  }

  /** Sends what waited for the guest's address. */
  void sendPending(Guest guest) {
    for (byte[] b = guest.pending.poll(); b != null; b = guest.pending.poll()) {
      Bytes.put48(b, 0, guest.mac);
      attachment.receive(frame.set(b, 0, b.length));
    }
  }

  /** Asks by ARP where a guest is, not too often. */
  void ask(Guest guest, long now) {
    if (now - guest.lastAsked >= ASK_INTERVAL) {
      askNow(guest, now);
    }
  }

  /** Asks by ARP where a guest is. */
  void askNow(Guest guest, long now) {
    guest.lastAsked = now;
    sendArp(1, Mac.BROADCAST, UserGateway.GATEWAY, 0, guest.address);
  }

  /** Sends an ARP packet (RFC 826). */
  void sendArp(int operation, long to, int sender, long targetMac, int target) {
    byte[] b = new byte[60];
    EtherType.writeHeader(b, 0, to, UserGateway.MAC, EtherType.ARP);
    Bytes.put16(b, 14, 1);
    Bytes.put16(b, 16, EtherType.IPV4);
    b[18] = 6;
    b[19] = 4;
    Bytes.put16(b, 20, operation);
    Bytes.put48(b, 22, UserGateway.MAC);
    Bytes.put32(b, 28, sender);
    Bytes.put48(b, 32, targetMac);
    Bytes.put32(b, 38, target);
    attachment.receive(frame.set(b, 0, b.length));
  }
}
