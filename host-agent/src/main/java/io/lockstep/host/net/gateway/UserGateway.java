package io.lockstep.host.net.gateway;

import io.lockstep.host.net.L2Switch;
import io.lockstep.host.net.PortCounters;
import io.lockstep.host.net.SwitchPort;
import io.lockstep.host.net.loop.EventLoop;
import io.lockstep.host.net.wire.Bytes;
import io.lockstep.host.net.wire.EtherType;
import io.lockstep.host.net.wire.Frame;
import io.lockstep.host.net.wire.InternetChecksum;
import io.lockstep.host.net.wire.Ipv4;
import io.lockstep.host.net.wire.Mac;
import java.io.IOException;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The way out of the guests' network, without privilege: a port of the switch that answers ARP,
 * DHCP, DNS and pings, ends the guests' TCP and UDP itself and carries the contents over ordinary
 * sockets of the host.
 *
 * <p>It lives with the switch and not with a VM, so a client's connection stands while a guest
 * moves to another host: nothing here is dropped because a port goes away.
 */
public final class UserGateway implements SwitchPort, AutoCloseable {
  public static final int SUBNET = Ipv4.address(10, 0, 2, 0);
  public static final int NETMASK = 0xffff_ff00;
  public static final int GATEWAY = Ipv4.address(10, 0, 2, 2);
  public static final int DNS = Ipv4.address(10, 0, 2, 3);
  public static final int FIRST_GUEST = Ipv4.address(10, 0, 2, 15);
  private static final int LAST_GUEST = Ipv4.address(10, 0, 2, 254);
  private static final int BROADCAST = Ipv4.address(10, 0, 2, 255);

  /** The gateway's and the DNS relay's address: a locally administered one. */
  public static final long MAC = 0x024c_4b00_0202L;

  private static final Logger LOG = LoggerFactory.getLogger(UserGateway.class);
  private static final int DHCP_SERVER = 67;
  private static final int DHCP_CLIENT = 68;
  private static final int ICMP_HEADER = 8;
  private static final int ECHO_REPLY = 0;
  private static final int ECHO = 8;
  private static final int UNREACHABLE = 3;
  private static final int PROHIBITED = 13;
  private static final int QUOTED = Ipv4.HEADER + 8;

  private final EventLoop loop;
  private final PortCounters counters = new PortCounters();
  private final PacketSender sender;
  private final Guest[] guests = new Guest[256];
  private final Dhcp dhcp = new Dhcp();
  private final Reassembly reassembly = new Reassembly();
  private final TcpGateway tcp;
  private final UdpGateway udp;
  private final L2Switch.Attachment attachment;
  private final GatewayConfig config;
  private long failures;

  /** Makes a gateway and attaches it to the switch. On the loop. */
  public UserGateway(
      EventLoop loop, L2Switch l2, GatewayConfig config, List<Integer> deniedLoopbackPorts)
      throws IOException {
    this.loop = loop;
    this.config = config;
    attachment = l2.attach(this);
    if (attachment == null) {
      throw new IOException("the switch has no free port for its gateway");
    }
    sender = new PacketSender(attachment);
    Destinations destinations = new Destinations(config, deniedLoopbackPorts);
    tcp = new TcpGateway(loop, l2, sender, destinations, config.tcp());
    udp = new UdpGateway(loop, sender, destinations, this::prohibit);
    l2.onMove(this::onMove);
  }

  /**
   * Opens the forwards' ports. On the loop.
   *
   * @return the forwards with their real ports
   * @throws IOException with a sentence for the user
   */
  public List<Forward> openForwards() throws IOException {
    List<Forward> open = new java.util.ArrayList<>();
    for (Forward forward : config.forwards()) {
      Guest guest = guest(forward.guestAddress());
      open.add(forward.udp() ? udp.open(forward, guest) : tcp.open(forward, guest));
    }
    return open;
  }

  static boolean isGuest(int address) {
    return address > DNS && address <= LAST_GUEST;
  }

  @Override
  public String name() {
    return "gateway";
  }

  @Override
  public PortCounters counters() {
    return counters;
  }

  @Override
  public boolean isCongested() {
    return false;
  }

  @Override
  public void cutOff(String reason) {
    LOG.warn("the gateway is cut off: {}", reason);
  }

  /** Unexpected failures while handling packets; always 0 unless there is a mistake in here. */
  public long failures() {
    return failures;
  }

  public int tcpFlows() {
    return tcp.flowCount();
  }

  /** Bytes of buffers that TCP connections hold. */
  public long tcpBufferBytes() {
    return tcp.bufferBytes();
  }

  /** A JSON object with what the gateway carries. */
  public String statusJson() {
    return "{\"outbound\":\""
        + config.outbound().name().toLowerCase(java.util.Locale.ROOT)
        + "\",\"tcpConnections\":"
        + tcp.flowCount()
        + ",\"tcpBufferBytes\":"
        + tcp.bufferBytes()
        + ",\"tcpRetransmissions\":"
        + tcp.retransmissions()
        + ",\"udpBindings\":"
        + udp.bindingCount()
        + ",\"failures\":"
        + failures
        + "}";
  }

  @Override
  public void close() {
    tcp.close();
    udp.close();
    attachment.detach();
  }

  /** Ends connections whose guest is gone for too long at {@code now}. It is done by itself. */
  public void sweepConnections(long now) {
    tcp.endConnectionsOfTheGone(now);
  }

  private Guest guest(int address) {
    int index = address & 0xff;
    if (guests[index] == null) {
      guests[index] = new Guest(address);
    }
    return guests[index];
  }

  private void onMove(long mac) {
    for (Guest guest : guests) {
      if (guest == null) {
        continue;
      }
      if (guest.mac == mac) {
        tcp.kick(guest);
      } else if (guest.mac == 0 && guest.isWaitedFor()) {
        sender.askNow(guest, loop.now());
      }
    }
  }

  // ---- packets from guests ----

  @Override
  public void send(Frame frame) {
    long destination = frame.destination();
    if (destination != MAC && !Mac.isMulticast(destination)) {
      return;
    }
    counters.countOut(frame.length);
    try {
      switch (frame.etherType()) {
        case EtherType.ARP -> onArp(frame);
        case EtherType.IPV4 -> onIp(frame);
        default -> {}
      }
    } catch (RuntimeException e) {
      // The other guests need the gateway whatever one of them managed to send.
      if (failures++ == 0) {
        LOG.error("a packet was dropped after an unexpected failure", e);
      }
    }
  }

  private void onArp(Frame f) {
    byte[] b = f.data;
    int at = f.offset + EtherType.HEADER;
    boolean ethernetIp =
        f.length >= EtherType.HEADER + 28
            && Bytes.u16(b, at) == 1
            && Bytes.u16(b, at + 2) == EtherType.IPV4
            && b[at + 4] == 6
            && b[at + 5] == 4;
    if (!ethernetIp) {
      return;
    }
    int operation = Bytes.u16(b, at + 6);
    long senderMac = Bytes.u48(b, at + 8);
    int senderIp = Bytes.i32(b, at + 14);
    int asked = Bytes.i32(b, at + 24);
    if (senderMac == f.source()) {
      learn(senderIp, senderMac);
    }
    if (operation == 1 && (asked == GATEWAY || asked == DNS)) {
      sender.sendArp(2, senderMac, asked, senderMac, senderIp);
    }
  }

  /**
   * Notes where a guest is; returns it, or null if the address is no guest's or somebody else's.
   */
  private Guest learn(int address, long mac) {
    if ((address & NETMASK) != SUBNET || !isGuest(address) || !Mac.isUsableSource(mac)) {
      return null;
    }
    long holder = dhcp.holder(address);
    if (holder != 0 && holder != mac) {
      return null;
    }
    Guest guest = guest(address);
    if (guest.mac != mac) {
      guest.mac = mac;
      sender.sendPending(guest);
      tcp.kick(guest);
    }
    return guest;
  }

  private void onIp(Frame f) {
    byte[] b = f.data;
    int at = f.offset + EtherType.HEADER;
    int available = f.length - EtherType.HEADER;
    if (available < Ipv4.HEADER || b[at] >>> 4 != 4) {
      return;
    }
    int header = (b[at] & 15) * 4;
    int total = Bytes.u16(b, at + 2);
    if (header < Ipv4.HEADER
        || total < header
        || total > available
        || InternetChecksum.of(b, at, header) != 0) {
      return;
    }
    int fragment = Bytes.u16(b, at + 6) & ~(Ipv4.DONT_FRAGMENT | 0x8000);
    if (fragment != 0) {
      byte[] whole = reassembly.add(b, at, header, total, loop.now());
      if (whole != null) {
        onPacket(whole, 0, Ipv4.HEADER, whole.length, f.source(), false);
      }
      return;
    }
    onPacket(b, at, header, total, f.source(), f.checksumTrusted());
  }

  private void onPacket(byte[] b, int at, int header, int total, long mac, boolean trusted) {
    int source = Bytes.i32(b, at + 12);
    int destination = Bytes.i32(b, at + 16);
    int protocol = Bytes.u8(b, at + 9);
    int payload = at + header;
    int length = total - header;
    if (protocol == Ipv4.UDP && onDhcp(b, payload, length, destination)) {
      return;
    }
    Guest guest = learn(source, mac);
    if (guest == null
        || destination == BROADCAST
        || destination == -1
        || destination >>> 28 == 0xe) {
      return;
    }
    if (!trusted
        && protocol != Ipv4.ICMP
        && !checksumGood(b, payload, length, source, destination, protocol)) {
      return;
    }
    switch (protocol) {
      case Ipv4.TCP -> tcp.onSegment(guest, destination, b, payload, length);
      case Ipv4.UDP -> udp.onDatagram(guest, destination, b, at, header, length);
      case Ipv4.ICMP -> onIcmp(guest, destination, b, at, header, length);
      default -> prohibit(guest, b, at, header + length);
    }
  }

  private static boolean checksumGood(
      byte[] b, int at, int length, int source, int destination, int protocol) {
    if (protocol != Ipv4.TCP && protocol != Ipv4.UDP) {
      return true;
    }
    if (protocol == Ipv4.UDP && length >= 8 && Bytes.u16(b, at + 6) == 0) {
      return true; // the sender made none (RFC 768)
    }
    long pseudo = InternetChecksum.pseudoHeader(source, destination, protocol, length);
    return InternetChecksum.finish(InternetChecksum.add(pseudo, b, at, length)) == 0;
  }

  private boolean onDhcp(byte[] b, int at, int length, int destination) {
    boolean forServer = destination == -1 || destination == GATEWAY || destination == BROADCAST;
    if (length < 8 || !forServer || Bytes.u16(b, at + 2) != DHCP_SERVER) {
      return false;
    }
    int size = Math.min(length, Bytes.u16(b, at + 4)) - 8;
    Dhcp.Reply reply = size < 0 ? null : dhcp.answer(b, at + 8, size);
    if (reply != null) {
      long mac = reply.broadcast() ? Mac.BROADCAST : Bytes.u48(b, at + 8 + 28);
      int to = reply.address() == 0 || reply.broadcast() ? -1 : reply.address();
      sender.sendUdpTo(mac, to, DHCP_SERVER, DHCP_CLIENT, reply.message());
    }
    return true;
  }

  private void onIcmp(Guest guest, int destination, byte[] b, int at, int header, int length) {
    int icmp = at + header;
    if (length < ICMP_HEADER || InternetChecksum.of(b, icmp, length) != 0 || b[icmp] != ECHO) {
      return;
    }
    if (destination != GATEWAY && destination != DNS) {
      if ((destination & NETMASK) != SUBNET) {
        prohibit(guest, b, at, header + length);
      }
      return;
    }
    byte[] out = sender.payloadArray();
    System.arraycopy(b, icmp, out, PacketSender.HEADROOM, length);
    out[PacketSender.HEADROOM] = ECHO_REPLY;
    Bytes.put16(out, PacketSender.HEADROOM + 2, 0);
    Bytes.put16(
        out, PacketSender.HEADROOM + 2, InternetChecksum.of(out, PacketSender.HEADROOM, length));
    sender.sendIp(guest, destination, Ipv4.ICMP, PacketSender.HEADROOM, length, loop.now());
  }

  /** Says that a packet went where it must not (RFC 1812 §5.2.7.1). */
  private void prohibit(Guest guest, byte[] b, int at, int total) {
    byte[] out = sender.payloadArray();
    int quoted = Math.min(total, QUOTED);
    int start = PacketSender.HEADROOM;
    out[start] = UNREACHABLE;
    out[start + 1] = PROHIBITED;
    Bytes.put16(out, start + 2, 0);
    Bytes.put32(out, start + 4, 0);
    System.arraycopy(b, at, out, start + ICMP_HEADER, quoted);
    Bytes.put16(out, start + 2, InternetChecksum.of(out, start, ICMP_HEADER + quoted));
    sender.sendIp(guest, GATEWAY, Ipv4.ICMP, start, ICMP_HEADER + quoted, loop.now());
  }
}
