package io.lockstep.host.net;

import io.lockstep.host.net.gateway.UserGateway;
import io.lockstep.host.net.loop.EventLoop;
import io.lockstep.host.net.loop.Timer;
import io.lockstep.host.net.tcp.BufferPool;
import io.lockstep.host.net.tcp.TcpConfig;
import io.lockstep.host.net.tcp.TcpConnection;
import io.lockstep.host.net.tcp.TcpSegment;
import io.lockstep.host.net.wire.Bytes;
import io.lockstep.host.net.wire.EtherType;
import io.lockstep.host.net.wire.Frame;
import io.lockstep.host.net.wire.InternetChecksum;
import io.lockstep.host.net.wire.Ipv4;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;

/** A guest's network stack for tests: ARP, UDP and TCP on a cable that may be bad. */
final class GuestStack implements SwitchClient.Listener, AutoCloseable {
  /** What a test does with a connection of the guest. Called on the guest's thread. */
  abstract static class App implements TcpConnection.Application {
    TcpConnection tcp;
    final CompletableFuture<TcpConnection.End> over = new CompletableFuture<>();

    @Override
    public void established() {}

    @Override
    public void endOfStream() {
      tcp.closeOutput();
    }

    @Override
    public void sendSpace() {}

    @Override
    public void ended(TcpConnection.End end) {
      over.complete(end);
    }

    /** Called after anything happened, before answers are sent. */
    void turn() {}
  }

  /** Sends back what comes, and closes when the peer does. */
  static final class Echo extends App {
    @Override
    public int deliver(byte[] data, int offset, int length) {
      return tcp.write(data, offset, length);
    }

    @Override
    public void sendSpace() {
      tcp.drain();
    }
  }

  /** Takes what comes and checks it, sends so many bytes of the pattern, and closes. */
  static final class Transfer extends App {
    final AtomicLong received = new AtomicLong();
    private final long toSend;
    private long sent;
    volatile boolean wrong;
    volatile boolean reading = true;

    Transfer(long toSend) {
      this.toSend = toSend;
    }

    @Override
    public int deliver(byte[] data, int offset, int length) {
      if (!reading) {
        return 0;
      }
      long at = received.get();
      for (int i = 0; i < length; i++) {
        wrong |= data[offset + i] != pattern(at + i);
      }
      received.addAndGet(length);
      return length;
    }

    @Override
    public void endOfStream() {}

    @Override
    void turn() {
      byte[] chunk = new byte[16 << 10];
      while (sent < toSend && tcp.sendSpace() > 0) {
        int count = (int) Math.min(Math.min(chunk.length, tcp.sendSpace()), toSend - sent);
        for (int i = 0; i < count; i++) {
          chunk[i] = pattern(sent + i);
        }
        sent += tcp.write(chunk, 0, count);
      }
      if (sent == toSend) {
        tcp.closeOutput();
      }
    }
  }

  static byte pattern(long position) {
    return (byte) ((position * 0x9E3779B97F4A7C15L) >>> 37);
  }

  private static final int HEADROOM = 128;

  final EventLoop loop;
  final long mac;
  final int address;
  final Map<Integer, Function<Integer, App>> servers = new HashMap<>();
  final LinkedBlockingQueue<String> datagrams = new LinkedBlockingQueue<>();
  final LinkedBlockingQueue<byte[]> frames = new LinkedBlockingQueue<>(10_000);
  private final Map<Long, Connection> connections = new HashMap<>();
  private final BufferPool pool = new BufferPool();
  private final byte[] scratch = new byte[80_000];
  private final TcpSegment in = new TcpSegment();
  private final Random random;
  private final int trouble;
  private final boolean offload;
  volatile NetworkLink link;
  volatile boolean keepFrames;

  /** Ignores what comes, and counts it. */
  volatile boolean deaf;

  final Semaphore ignored = new Semaphore(0);

  /**
   * @param trouble percentage of packets that are lost, that come twice, and that come late, each
   */
  GuestStack(String name, long mac, int address, int trouble, boolean offload, long seed) {
    this.loop = EventLoop.start(name);
    this.mac = mac;
    this.address = address;
    this.trouble = trouble;
    this.offload = offload;
    this.random = new Random(seed);
  }

  private final class Connection implements TcpConnection.Output {
    final App app;
    final int remoteAddress;
    final int remotePort;
    final int port;
    final Timer timer = loop.timer(this::onTimer);

    Connection(App app, int remoteAddress, int remotePort, int port) {
      this.app = app;
      this.remoteAddress = remoteAddress;
      this.remotePort = remotePort;
      this.port = port;
    }

    long key() {
      return (long) remoteAddress << 32 | (long) remotePort << 16 | port;
    }

    void onTimer() {
      app.tcp.onTimer(loop.now());
      settle();
    }

    void settle() {
      if (!app.tcp.isEnded()) {
        app.turn();
      }
      app.tcp.flush(loop.now());
      if (app.tcp.isForgettable()) {
        connections.remove(key());
        timer.cancel();
      } else {
        timer.at(app.tcp.deadline());
      }
    }

    @Override
    public byte[] payloadArray() {
      return scratch;
    }

    @Override
    public int payloadOffset() {
      return HEADROOM;
    }

    @Override
    public boolean congested(TcpConnection connection) {
      return false;
    }

    @Override
    public void transmit(TcpConnection connection, TcpSegment s) {
      s.sourcePort = port;
      s.destinationPort = remotePort;
      int header = s.headerLength();
      int tcp = HEADROOM - header;
      s.writeHeader(scratch, tcp);
      sendIp(Ipv4.TCP, remoteAddress, tcp, header + s.length, s.length > 1460);
    }
  }

  /** Opens a connection; its future is in the app. */
  void connect(int remoteAddress, int remotePort, int port, App app) {
    loop.execute(
        () -> {
          Connection c = new Connection(app, remoteAddress, remotePort, port);
          app.tcp = TcpConnection.connect(config(), pool, c, app, random.nextInt(), loop.now());
          connections.put(c.key(), c);
          c.settle();
        });
  }

  /** Runs something about connections on the guest's thread, and answers. */
  void poke(Runnable action) {
    loop.execute(
        () -> {
          action.run();
          for (Connection c : java.util.List.copyOf(connections.values())) {
            c.settle();
          }
        });
  }

  int connectionCount() {
    CompletableFuture<Integer> count = new CompletableFuture<>();
    loop.execute(() -> count.complete(connections.size()));
    return count.join();
  }

  private TcpConfig config() {
    return TcpConfig.DEFAULT.withBurst(offload ? 44 : 1);
  }

  void sendUdp(int to, int sourcePort, int port, byte[] payload) {
    loop.execute(
        () -> {
          int udp = HEADROOM - 8;
          Bytes.put16(scratch, udp, sourcePort);
          Bytes.put16(scratch, udp + 2, port);
          Bytes.put16(scratch, udp + 4, 8 + payload.length);
          System.arraycopy(payload, 0, scratch, HEADROOM, payload.length);
          sendIp(Ipv4.UDP, to, udp, 8 + payload.length, false);
        });
  }

  private void sendIp(int protocol, int to, int at, int length, boolean cut) {
    int ip = at - Ipv4.HEADER;
    int field = at + (protocol == Ipv4.TCP ? 16 : 6);
    long pseudo = InternetChecksum.pseudoHeader(address, to, protocol, length);
    Frame frame = new Frame();
    Bytes.put16(scratch, field, offload ? InternetChecksum.fold(pseudo) : 0);
    if (!offload) {
      int sum = InternetChecksum.finish(InternetChecksum.add(pseudo, scratch, at, length));
      Bytes.put16(scratch, field, sum == 0 ? 0xffff : sum);
    }
    Ipv4.writeHeader(scratch, ip, protocol, address, to, 20 + length, 1, Ipv4.DONT_FRAGMENT);
    int start = ip - EtherType.HEADER;
    EtherType.writeHeader(scratch, start, UserGateway.MAC, mac, EtherType.IPV4);
    frame.set(scratch, start, EtherType.HEADER + 20 + length);
    if (offload) {
      frame.flags = Frame.NEEDS_CHECKSUM;
      frame.checksumStart = 34;
      frame.checksumOffset = field - at;
      frame.gsoType = cut ? Frame.GSO_TCPV4 : Frame.GSO_NONE;
      frame.gsoSize = cut ? 1460 : 0;
    }
    send(frame);
  }

  void send(Frame frame) {
    byte[] packet = new byte[Frame.VNET_HEADER + frame.length];
    frame.writeHeader(packet, 0);
    System.arraycopy(frame.data, frame.offset, packet, Frame.VNET_HEADER, frame.length);
    troubled(() -> link.send(packet, 0, packet.length));
  }

  /** Sends a whole frame, from any thread. */
  void sendFrame(byte[] bytes) {
    loop.execute(() -> send(new Frame().set(bytes, 0, bytes.length)));
  }

  /** Lets a packet pass, or not, or twice, or late. On the guest's thread. */
  private void troubled(Runnable pass) {
    if (random.nextInt(100) < trouble) {
      return;
    }
    int copies = random.nextInt(100) < trouble ? 2 : 1;
    for (int i = 0; i < copies; i++) {
      if (random.nextInt(100) < trouble) {
        Timer late = loop.timer(pass);
        late.at(loop.now() + random.nextInt(2_000_000));
      } else {
        pass.run();
      }
    }
  }

  @Override
  public void packet(byte[] data, int offset, int length) {
    if (deaf) {
      ignored.release();
      return;
    }
    byte[] copy = Arrays.copyOfRange(data, offset, offset + length);
    loop.execute(() -> troubled(() -> arrived(copy)));
  }

  private void arrived(byte[] packet) {
    Frame f = new Frame();
    if (!f.setWithHeader(packet, 0, packet.length)) {
      throw new AssertionError("malformed offload header");
    }
    if (keepFrames) {
      frames.offer(Arrays.copyOfRange(f.data, f.offset, f.offset + f.length));
    }
    byte[] b = f.data;
    int at = f.offset + EtherType.HEADER;
    if (f.etherType() == EtherType.ARP) {
      onArp(b, at);
    } else if (f.etherType() == EtherType.IPV4 && Bytes.i32(b, at + 16) == address) {
      int length = Bytes.u16(b, at + 2) - 20;
      int source = Bytes.i32(b, at + 12);
      checkSum(f, at, length, source);
      if (b[at + 9] == Ipv4.TCP) {
        onTcp(source, b, at + 20, length);
      } else if (b[at + 9] == Ipv4.UDP) {
        String text =
            new String(b, at + 28, length - 8, java.nio.charset.StandardCharsets.ISO_8859_1);
        datagrams.add(Ipv4.format(source) + ":" + Bytes.u16(b, at + 20) + " " + text);
      }
    }
  }

  private void checkSum(Frame f, int at, int length, int source) {
    if (f.checksumTrusted()
        || f.data[at + 9] == Ipv4.ICMP
        || Bytes.u16(f.data, at + 6) != Ipv4.DONT_FRAGMENT) {
      return;
    }
    long pseudo = InternetChecksum.pseudoHeader(source, address, f.data[at + 9], length);
    if (InternetChecksum.finish(InternetChecksum.add(pseudo, f.data, at + 20, length)) != 0) {
      throw new AssertionError("bad checksum from the gateway");
    }
  }

  private void onArp(byte[] b, int at) {
    if (Bytes.u16(b, at + 6) == 1 && Bytes.i32(b, at + 24) == address) {
      sendArp(2, Bytes.u48(b, at + 8), Bytes.i32(b, at + 14));
    }
  }

  void sendArp(int operation, long toMac, int toAddress) {
    byte[] r = new byte[42];
    EtherType.writeHeader(r, 0, toMac, mac, EtherType.ARP);
    Bytes.put16(r, 14, 1);
    Bytes.put16(r, 16, EtherType.IPV4);
    r[18] = 6;
    r[19] = 4;
    Bytes.put16(r, 20, operation);
    Bytes.put48(r, 22, mac);
    Bytes.put32(r, 28, address);
    Bytes.put48(r, 32, toMac);
    Bytes.put32(r, 38, toAddress);
    send(new Frame().set(r, 0, r.length));
  }

  private void onTcp(int source, byte[] b, int at, int length) {
    if (!in.parse(b, at, length)) {
      throw new AssertionError("malformed segment from the gateway");
    }
    long key = (long) source << 32 | (long) in.sourcePort << 16 | in.destinationPort;
    Connection c = connections.get(key);
    if (c == null) {
      Function<Integer, App> server = servers.get(in.destinationPort);
      if (server == null || !in.has(TcpSegment.SYN) || in.has(TcpSegment.ACK)) {
        refuse(source);
        return;
      }
      App app = server.apply(in.sourcePort);
      c = new Connection(app, source, in.sourcePort, in.destinationPort);
      app.tcp = TcpConnection.fromSyn(config(), pool, c, app, in, random.nextInt(), loop.now());
      app.tcp.accept();
      connections.put(key, c);
    } else {
      c.app.tcp.onSegment(in, loop.now());
    }
    c.settle();
  }

  private void refuse(int source) {
    if (in.has(TcpSegment.RST)) {
      return;
    }
    TcpSegment reset = new TcpSegment();
    TcpConnection.resetFor(in, reset);
    int tcp = HEADROOM - TcpSegment.HEADER;
    reset.writeHeader(scratch, tcp);
    sendIp(Ipv4.TCP, source, tcp, TcpSegment.HEADER, false);
  }

  @Override
  public void close() {
    if (link != null) {
      link.close();
    }
    loop.close();
  }
}
