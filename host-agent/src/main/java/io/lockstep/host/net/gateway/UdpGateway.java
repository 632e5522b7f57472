package io.lockstep.host.net.gateway;

import io.lockstep.host.net.loop.EventLoop;
import io.lockstep.host.net.loop.Timer;
import io.lockstep.host.net.wire.Bytes;
import io.lockstep.host.net.wire.Ipv4;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The gateway's UDP: sockets that stand for guests' ports, forwards, and the DNS relay. */
final class UdpGateway implements AutoCloseable {
  /** Tells a guest that it may not do that. */
  interface Prohibition {
    void prohibit(Guest guest, byte[] b, int at, int total);
  }

  private static final Logger LOG = LoggerFactory.getLogger(UdpGateway.class);
  private static final int HEADER = 8;
  private static final int BINDINGS_MAX = 512;
  private static final int PEERS_MAX = 256;
  private static final int CLIENTS_MAX = 1024;
  private static final int DATAGRAMS_PER_TURN = 64;
  private static final int FIRST_PORT = 20_000;
  private static final int PORTS = 45_000;
  private static final int DNS_PORT = 53;
  private static final int DNS_HEADER = 12;
  private static final int SERVFAIL = 2;
  private static final int REFUSED = 5;
  private static final long IDLE = 120_000_000_000L;
  private static final long SWEEP = 10_000_000_000L;

  private final EventLoop loop;
  private final PacketSender sender;
  private final Destinations destinations;
  private final Prohibition prohibition;
  private final Map<Long, Binding> bindings = new LinkedHashMap<>(16, 0.75f, true);
  private final List<ForwardedPort> forwards = new ArrayList<>();
  private final ByteBuffer buffer = ByteBuffer.allocate(65_536);
  private final Timer sweepTimer;
  private int nextPort;

  UdpGateway(
      EventLoop loop, PacketSender sender, Destinations destinations, Prohibition prohibition) {
    this.loop = loop;
    this.sender = sender;
    this.destinations = destinations;
    this.prohibition = prohibition;
    this.sweepTimer = loop.timer(this::sweep);
  }

  int bindingCount() {
    return bindings.size();
  }

  // ---- from guests ----

  void onDatagram(Guest guest, int destination, byte[] b, int at, int header, int length) {
    int udp = at + header;
    if (length < HEADER || Bytes.u16(b, udp + 4) < HEADER || Bytes.u16(b, udp + 4) > length) {
      return;
    }
    int sourcePort = Bytes.u16(b, udp);
    int port = Bytes.u16(b, udp + 2);
    ByteBuffer payload = ByteBuffer.wrap(b, udp + HEADER, Bytes.u16(b, udp + 4) - HEADER);
    if (destination == UserGateway.DNS && port == DNS_PORT) {
      onDns(guest, sourcePort, payload);
      return;
    }
    if (destination == UserGateway.GATEWAY && answeredForward(guest, sourcePort, port, payload)) {
      return;
    }
    InetSocketAddress target = destinations.resolve(destination, port, true);
    if (target == null) {
      prohibition.prohibit(guest, b, at, header + length);
      return;
    }
    relay(guest, sourcePort, target, destination, payload);
  }

  private boolean answeredForward(Guest guest, int sourcePort, int port, ByteBuffer payload) {
    for (ForwardedPort forward : forwards) {
      if (forward.guest == guest
          && forward.forward.guestPort() == sourcePort
          && forward.answer(port, payload)) {
        return true;
      }
    }
    return false;
  }

  private void relay(
      Guest guest, int sourcePort, InetSocketAddress target, int shown, ByteBuffer payload) {
    try {
      Binding binding = binding(guest, sourcePort);
      binding.used = loop.now();
      binding.peers.put(target, shown);
      binding.channel.send(payload, target);
    } catch (IOException e) {
      LOG.debug("a guest's datagram to {} was not sent: {}", target, e.getMessage());
    }
  }

  private Binding binding(Guest guest, int port) throws IOException {
    long key = (long) guest.address << 16 | port;
    Binding binding = bindings.get(key);
    if (binding == null) {
      if (bindings.size() >= BINDINGS_MAX) {
        Binding oldest = bindings.values().iterator().next();
        bindings.remove(oldest.key);
        closeQuietly(oldest.channel);
      }
      binding = new Binding(guest, port, key);
      bindings.put(key, binding);
      if (!sweepTimer.isSet()) {
        sweepTimer.at(loop.now() + SWEEP);
      }
    }
    return binding;
  }

  private void sweep() {
    long now = loop.now();
    bindings
        .values()
        .removeIf(
            binding -> {
              boolean idle = now - binding.used > IDLE;
              if (idle) {
                closeQuietly(binding.channel);
              }
              return idle;
            });
    if (!bindings.isEmpty()) {
      sweepTimer.at(now + SWEEP);
    }
  }

  /**
   * A socket of the host that stands for one port of one guest; only those it wrote to are heard.
   */
  private final class Binding implements EventLoop.Handler {
    final Guest guest;
    final int port;
    final long key;
    final DatagramChannel channel;
    long used;

    /** Address as the host sees it, and as the guest does. */
    final Map<InetSocketAddress, Integer> peers =
        new LinkedHashMap<>(8, 0.75f, true) {
          @Override
          protected boolean removeEldestEntry(Map.Entry<InetSocketAddress, Integer> eldest) {
            return size() > PEERS_MAX;
          }
        };

    Binding(Guest guest, int port, long key) throws IOException {
      this.guest = guest;
      this.port = port;
      this.key = key;
      channel = DatagramChannel.open();
      try {
        channel.configureBlocking(false);
        channel.bind(null);
        loop.register(channel, SelectionKey.OP_READ, this);
      } catch (IOException e) {
        closeQuietly(channel);
        throw e;
      }
    }

    @Override
    public void ready(int operations) throws IOException {
      for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
        InetSocketAddress from = receive(channel);
        if (from == null) {
          return;
        }
        Integer shown = peers.get(from);
        if (shown != null) {
          used = loop.now();
          sendBuffer(guest, shown, from.getPort(), port);
        }
      }
    }

    @Override
    public void failed(Exception cause) {
      LOG.debug("a datagram socket failed: {}", cause.getMessage());
      bindings.remove(key);
      closeQuietly(channel);
    }
  }

  private InetSocketAddress receive(DatagramChannel channel) throws IOException {
    buffer.clear();
    return (InetSocketAddress) channel.receive(buffer);
  }

  private void sendBuffer(Guest guest, int source, int sourcePort, int port) {
    int length = Math.min(buffer.position(), 65_535 - HEADER - Ipv4.HEADER);
    System.arraycopy(buffer.array(), 0, sender.payloadArray(), PacketSender.HEADROOM, length);
    sender.sendUdp(guest, source, sourcePort, port, length, loop.now());
  }

  // ---- DNS ----

  private void onDns(Guest guest, int sourcePort, ByteBuffer query) {
    if (query.remaining() < DNS_HEADER) {
      return;
    }
    InetSocketAddress resolver =
        destinations.allowsNothing() ? null : destinations.resolver(loop.now());
    if (resolver != null && destinations.allowsResolver(resolver)) {
      relay(guest, sourcePort, resolver, UserGateway.DNS, query);
      return;
    }
    int code = resolver == null && !destinations.allowsNothing() ? SERVFAIL : REFUSED;
    byte[] out = sender.payloadArray();
    int length = Math.min(query.remaining(), 512);
    query.get(out, PacketSender.HEADROOM, length);
    // The query comes back with: it is an answer, recursion is there, and the code (RFC 1035
    // §4.1.1).
    out[PacketSender.HEADROOM + 2] |= (byte) 0x80;
    out[PacketSender.HEADROOM + 3] = (byte) (0x80 | code);
    sender.sendUdp(guest, UserGateway.DNS, DNS_PORT, sourcePort, length, loop.now());
  }

  // ---- forwards ----

  Forward open(Forward forward, Guest guest) throws IOException {
    DatagramChannel channel = DatagramChannel.open();
    try {
      channel.configureBlocking(false);
      channel.bind(
          new InetSocketAddress(InetAddress.getByName(forward.hostAddress()), forward.hostPort()));
      ForwardedPort port = new ForwardedPort(forward, guest, channel);
      loop.register(channel, SelectionKey.OP_READ, port);
      forwards.add(port);
      return forward.withHostPort(channel.socket().getLocalPort());
    } catch (IOException e) {
      channel.close();
      throw forward.cannotListen(e);
    }
  }

  /**
   * A UDP port of the host; each client gets a port of the gateway, by which the guest's answer
   * finds it.
   */
  private final class ForwardedPort implements EventLoop.Handler {
    final Forward forward;
    final Guest guest;
    private final DatagramChannel channel;
    private final Map<Integer, InetSocketAddress> clientOf = new HashMap<>();
    private final Map<InetSocketAddress, Integer> portOf =
        new LinkedHashMap<>(16, 0.75f, true) {
          @Override
          protected boolean removeEldestEntry(Map.Entry<InetSocketAddress, Integer> eldest) {
            boolean remove = size() > CLIENTS_MAX;
            if (remove) {
              clientOf.remove(eldest.getValue());
            }
            return remove;
          }
        };

    ForwardedPort(Forward forward, Guest guest, DatagramChannel channel) {
      this.forward = forward;
      this.guest = guest;
      this.channel = channel;
    }

    @Override
    public void ready(int operations) throws IOException {
      for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
        InetSocketAddress client = receive(channel);
        if (client == null) {
          return;
        }
        sendBuffer(guest, UserGateway.GATEWAY, portFor(client), forward.guestPort());
      }
    }

    private int portFor(InetSocketAddress client) {
      Integer known = portOf.get(client);
      if (known != null) {
        return known;
      }
      int port;
      do {
        port = FIRST_PORT + (nextPort++ & 0x7fff_ffff) % PORTS;
      } while (clientOf.containsKey(port));
      clientOf.put(port, client);
      portOf.put(client, port);
      return port;
    }

    /** Sends a guest's answer to the client that a port stands for; false if it stands for none. */
    boolean answer(int port, ByteBuffer payload) {
      InetSocketAddress client = clientOf.get(port);
      if (client == null) {
        return false;
      }
      try {
        channel.send(payload, client);
      } catch (IOException e) {
        LOG.debug("an answer to {} was not sent: {}", client, e.getMessage());
      }
      return true;
    }

    @Override
    public void failed(Exception cause) {
      // A client that is gone shows as an error here; the port stays open.
      LOG.debug("{}: {}", forward, cause.getMessage());
    }
  }

  @Override
  public void close() {
    sweepTimer.cancel();
    bindings.values().forEach(binding -> closeQuietly(binding.channel));
    bindings.clear();
    forwards.forEach(forward -> closeQuietly(forward.channel));
  }

  private static void closeQuietly(DatagramChannel channel) {
    try {
      channel.close();
    } catch (IOException e) {
      LOG.debug("closing failed: {}", e.getMessage());
    }
  }
}
