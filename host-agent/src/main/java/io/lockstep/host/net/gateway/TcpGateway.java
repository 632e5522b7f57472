package io.lockstep.host.net.gateway;

import io.lockstep.host.net.L2Switch;
import io.lockstep.host.net.loop.EventLoop;
import io.lockstep.host.net.loop.Timer;
import io.lockstep.host.net.tcp.BufferPool;
import io.lockstep.host.net.tcp.TcpConfig;
import io.lockstep.host.net.tcp.TcpConnection;
import io.lockstep.host.net.tcp.TcpSegment;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The gateway's TCP: which connections there are, and how segments and sockets find them. */
final class TcpGateway implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(TcpGateway.class);
  private static final int FLOWS_MAX = 8_192;

  /** Beyond this many connections, new ones get smaller buffers. */
  private static final int FLOWS_WITH_LARGE_BUFFERS = 128;

  private static final int SMALL_BUFFER = 64 << 10;
  private static final int FIRST_PORT = 20_000;
  private static final int PORTS = 45_000;
  private static final long STALL_RETRY = 1_000_000L;
  private static final long SWEEP = 5_000_000_000L;

  /**
   * How long connections outlive the disappearance of their guest: time enough to start its host
   * again, and no reason to keep clients waiting after that.
   */
  private static final long GONE_MAX = 120_000_000_000L;

  final EventLoop loop;
  final Destinations destinations;
  final BufferPool pool = new BufferPool();
  private final L2Switch l2;
  private final PacketSender sender;
  private final TcpConfig config;
  private final TcpConfig smallConfig;
  private final SecureRandom random = new SecureRandom();
  private final TcpSegment in = new TcpSegment();
  private final TcpSegment reset = new TcpSegment();
  private final Set<TcpFlow> flows = new LinkedHashSet<>();
  private final List<TcpFlow> dirty = new ArrayList<>();
  private final List<TcpFlow> stalled = new ArrayList<>();
  private final Timer stallTimer;
  private final Timer sweepTimer;
  private final List<ServerSocketChannel> servers = new ArrayList<>();
  private int nextPort;
  private long retransmissionsOfEnded;

  TcpGateway(
      EventLoop loop,
      L2Switch l2,
      PacketSender sender,
      Destinations destinations,
      TcpConfig config) {
    this.loop = loop;
    this.l2 = l2;
    this.sender = sender;
    this.destinations = destinations;
    this.config = config;
    this.smallConfig =
        config.withBuffers(
            Math.min(SMALL_BUFFER, config.sendBuffer()),
            Math.min(SMALL_BUFFER, config.receiveBuffer()));
    this.stallTimer = loop.timer(this::retryStalled);
    this.sweepTimer = loop.timer(this::sweep);
    sweepTimer.at(loop.now() + SWEEP);
  }

  int flowCount() {
    return flows.size();
  }

  long bufferBytes() {
    return pool.allocatedBytes();
  }

  long retransmissions() {
    long sum = retransmissionsOfEnded;
    for (TcpFlow flow : flows) {
      sum += flow.retransmissions();
    }
    return sum;
  }

  // ---- from guests ----

  void onSegment(Guest guest, int destination, byte[] b, int at, int length) {
    if (!in.parse(b, at, length) || in.sourcePort == 0 || in.destinationPort == 0) {
      return;
    }
    long key = Guest.flowKey(destination, in.destinationPort, in.sourcePort);
    TcpFlow flow = guest.flows.get(key);
    boolean opening = in.has(TcpSegment.SYN) && !in.has(TcpSegment.ACK) && !in.has(TcpSegment.RST);
    if (flow != null && opening && flow.isReplaceableBy(in)) {
      remove(flow);
      flow = null;
    }
    if (flow != null) {
      flow.onSegment(in);
    } else if (opening) {
      openOutbound(guest, destination, key);
    } else if (!in.has(TcpSegment.RST)) {
      refuse(guest, destination);
    }
  }

  private void openOutbound(Guest guest, int destination, long key) {
    InetSocketAddress target = target(destination, in.destinationPort);
    if (target == null || flows.size() >= FLOWS_MAX) {
      refuse(guest, destination);
      return;
    }
    TcpFlow flow = new TcpFlow(this, guest, destination, in.destinationPort, in.sourcePort);
    try {
      flow.openOutbound(target, in, configNow(), random.nextInt());
      guest.flows.put(key, flow);
      flows.add(flow);
    } catch (IOException e) {
      LOG.debug("a guest's connection to {} failed: {}", target, e.getMessage());
      refuse(guest, destination);
    }
  }

  private InetSocketAddress target(int destination, int port) {
    if (destination == UserGateway.DNS && port == 53) {
      InetSocketAddress resolver = destinations.resolver(loop.now());
      return resolver != null && destinations.allowsResolver(resolver) ? resolver : null;
    }
    return destinations.resolve(destination, port, false);
  }

  private void refuse(Guest guest, int destination) {
    TcpConnection.resetFor(in, reset);
    sender.sendTcp(guest, destination, reset, 1460, loop.now());
  }

  private TcpConfig configNow() {
    return flows.size() < FLOWS_WITH_LARGE_BUFFERS ? config : smallConfig;
  }

  // ---- from the host ----

  Forward open(Forward forward, Guest guest) throws IOException {
    ServerSocketChannel server = ServerSocketChannel.open();
    try {
      server.configureBlocking(false);
      server.bind(
          new InetSocketAddress(InetAddress.getByName(forward.hostAddress()), forward.hostPort()),
          1024);
      loop.register(server, SelectionKey.OP_ACCEPT, new Acceptor(server, forward, guest));
      servers.add(server);
      return forward.withHostPort(server.socket().getLocalPort());
    } catch (IOException e) {
      server.close();
      throw forward.cannotListen(e);
    }
  }

  private final class Acceptor implements EventLoop.Handler {
    private final ServerSocketChannel server;
    private final Forward forward;
    private final Guest guest;

    Acceptor(ServerSocketChannel server, Forward forward, Guest guest) {
      this.server = server;
      this.forward = forward;
      this.guest = guest;
    }

    @Override
    public void ready(int operations) throws IOException {
      for (SocketChannel client = server.accept(); client != null; client = server.accept()) {
        openInbound(client);
      }
    }

    private void openInbound(SocketChannel client) throws IOException {
      int port = freePort(guest, forward.guestPort());
      if (flows.size() >= FLOWS_MAX || port == 0) {
        client.close();
        return;
      }
      TcpFlow flow =
          new TcpFlow(TcpGateway.this, guest, UserGateway.GATEWAY, port, forward.guestPort());
      flow.openInbound(client, configNow(), random.nextInt());
      guest.flows.put(flow.key(), flow);
      flows.add(flow);
    }

    @Override
    public void failed(Exception cause) {
      LOG.warn("{}: accepting a connection failed: {}", forward, cause.getMessage());
    }
  }

  private int freePort(Guest guest, int guestPort) {
    for (int i = 0; i < PORTS; i++) {
      int port = FIRST_PORT + (nextPort++ & 0x7fff_ffff) % PORTS;
      if (!guest.flows.containsKey(Guest.flowKey(UserGateway.GATEWAY, port, guestPort))) {
        return port;
      }
    }
    return 0;
  }

  // ---- flows ----

  /** The guest is at another place, or is known for the first time. */
  void kick(Guest guest) {
    for (TcpFlow flow : List.copyOf(guest.flows.values())) {
      flow.kick();
    }
  }

  private void sweep() {
    endConnectionsOfTheGone(loop.now());
    sweepTimer.at(loop.now() + SWEEP);
  }

  /** Ends the connections of guests whose address has led to no port for too long. */
  void endConnectionsOfTheGone(long now) {
    Set<Guest> guests = new LinkedHashSet<>();
    flows.forEach(flow -> guests.add(flow.guest()));
    for (Guest guest : guests) {
      if (guest.mac == 0 || l2.isReachable(guest.mac)) {
        guest.goneSince = Long.MAX_VALUE;
      } else if (guest.goneSince == Long.MAX_VALUE) {
        guest.goneSince = now;
      } else if (now - guest.goneSince >= GONE_MAX) {
        List.copyOf(guest.flows.values()).forEach(TcpFlow::reset);
      }
      if (guest.goneSince != Long.MAX_VALUE) {
        // It may only have been silent for so long that the switch has forgotten it.
        sender.ask(guest, now);
      }
    }
  }

  /** Lets a flow answer at the end of this turn, once for all that came in. */
  void markDirty(TcpFlow flow) {
    if (dirty.isEmpty()) {
      loop.deferWork(this::flushDirty);
    }
    dirty.add(flow);
  }

  private void flushDirty() {
    // Flushing sends frames, which come back as nothing here: the list doesn't grow meanwhile, but
    // be safe.
    for (int i = 0; i < dirty.size(); i++) {
      dirty.get(i).flush();
    }
    dirty.clear();
  }

  void markStalled(TcpFlow flow) {
    stalled.add(flow);
    if (!stallTimer.isSet()) {
      stallTimer.at(loop.now() + STALL_RETRY);
    }
  }

  private void retryStalled() {
    List<TcpFlow> waiting = List.copyOf(stalled);
    stalled.clear();
    waiting.forEach(TcpFlow::unstall);
  }

  void remove(TcpFlow flow) {
    if (flows.remove(flow)) {
      retransmissionsOfEnded += flow.retransmissions();
      flow.guest().flows.remove(flow.key(), flow);
      flow.dispose();
    }
  }

  boolean isCongested(Guest guest) {
    return l2.isCongested(guest.mac);
  }

  void send(Guest guest, int source, TcpSegment s, int segmentSize) {
    sender.sendTcp(guest, source, s, segmentSize, loop.now());
  }

  /** The guest doesn't answer: maybe its address has changed hands. */
  void askAgain(Guest guest) {
    sender.ask(guest, loop.now());
  }

  byte[] payloadArray() {
    return sender.payloadArray();
  }

  @Override
  public void close() {
    for (ServerSocketChannel server : servers) {
      try {
        server.close();
      } catch (IOException e) {
        LOG.debug("closing failed: {}", e.getMessage());
      }
    }
    sweepTimer.cancel();
    List.copyOf(flows).forEach(this::remove);
  }
}
