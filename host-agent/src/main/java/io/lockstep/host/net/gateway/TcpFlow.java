package io.lockstep.host.net.gateway;

import io.lockstep.host.net.loop.EventLoop;
import io.lockstep.host.net.loop.Timer;
import io.lockstep.host.net.tcp.TcpConfig;
import io.lockstep.host.net.tcp.TcpConnection;
import io.lockstep.host.net.tcp.TcpSegment;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A TCP connection of a guest on one side and a socket of the host on the other, with back-pressure
 * both ways: the socket is read only while there is room for what comes, and the guest's window is
 * what the socket has taken.
 */
final class TcpFlow implements TcpConnection.Application, TcpConnection.Output, EventLoop.Handler {
  private static final Logger LOG = LoggerFactory.getLogger(TcpFlow.class);
  private static final int READ_PER_TURN = 256 << 10;

  private final TcpGateway gateway;
  private final Guest guest;
  private final int remoteAddress;
  private final int remotePort;
  private final int guestPort;
  private final Timer timer;
  private SocketChannel channel;
  private SelectionKey key;
  private TcpConnection tcp;
  private int mss = 1460;
  private boolean connecting;
  private boolean hostEnded;
  private boolean hostFailed;
  private boolean dirty;
  private boolean stalled;
  private boolean gone;

  TcpFlow(TcpGateway gateway, Guest guest, int remoteAddress, int remotePort, int guestPort) {
    this.gateway = gateway;
    this.guest = guest;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.guestPort = guestPort;
    this.timer = gateway.loop.timer(this::onTimer);
  }

  Guest guest() {
    return guest;
  }

  long key() {
    return Guest.flowKey(remoteAddress, remotePort, guestPort);
  }

  long retransmissions() {
    return tcp == null ? 0 : tcp.retransmissions();
  }

  /** A client of the host has connected: the guest is asked. */
  void openInbound(SocketChannel client, TcpConfig config, int sequence) throws IOException {
    channel = client;
    prepare();
    tcp = TcpConnection.connect(config, gateway.pool, this, this, sequence, gateway.loop.now());
    key = gateway.loop.register(channel, 0, this);
    changed();
  }

  /**
   * A guest wants to connect: the host's side is tried first, and the guest hears of it when that
   * stands.
   */
  void openOutbound(InetSocketAddress target, TcpSegment syn, TcpConfig config, int sequence)
      throws IOException {
    channel = SocketChannel.open();
    try {
      prepare();
      tcp =
          TcpConnection.fromSyn(
              config, gateway.pool, this, this, syn, sequence, gateway.loop.now());
      mss = Math.min(mss, syn.mss < 0 ? 536 : Math.max(64, syn.mss));
      connecting = !channel.connect(target);
      key = gateway.loop.register(channel, connecting ? SelectionKey.OP_CONNECT : 0, this);
    } catch (IOException e) {
      closeChannel(false);
      throw e;
    } catch (IllegalArgumentException e) {
      closeChannel(false);
      throw new IOException(e.getMessage(), e);
    }
    if (!connecting) {
      tcp.accept();
    }
    changed();
  }

  private void prepare() throws IOException {
    channel.configureBlocking(false);
    channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
    channel.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
  }

  // ---- the guest's side ----

  boolean isReplaceableBy(TcpSegment syn) {
    return tcp.isReplaceableBy(syn);
  }

  void onSegment(TcpSegment s) {
    if (s.has(TcpSegment.SYN) && s.mss >= 0) {
      mss = Math.min(1460, Math.max(64, s.mss));
    }
    tcp.onSegment(s, gateway.loop.now());
    changed();
  }

  void kick() {
    if (!gone) {
      tcp.kick(gateway.loop.now());
      changed();
    }
  }

  /** Ends the connection on both sides. */
  void reset() {
    if (!gone) {
      hostFailed = true;
      closeChannel(true);
      changed();
    }
  }

  void unstall() {
    stalled = false;
    if (!gone) {
      changed();
    }
  }

  private void onTimer() {
    if (!gone) {
      long before = tcp.retransmissions();
      tcp.onTimer(gateway.loop.now());
      if (tcp.retransmissions() > before) {
        gateway.askAgain(guest);
      }
      changed();
    }
  }

  /** Something happened: flushed at the end of the turn. */
  private void changed() {
    if (!dirty && !gone) {
      dirty = true;
      gateway.markDirty(this);
    }
  }

  /** Sends what is to be sent, and waits for the right things. */
  void flush() {
    dirty = false;
    if (gone) {
      return;
    }
    if (hostFailed) {
      tcp.abort();
    }
    tcp.flush(gateway.loop.now());
    if (tcp.isForgettable()) {
      gateway.remove(this);
      return;
    }
    if (tcp.isStalled() && !stalled) {
      stalled = true;
      gateway.markStalled(this);
    }
    timer.at(tcp.deadline());
    updateInterest();
  }

  private void updateInterest() {
    if (key == null || !key.isValid() || connecting) {
      return;
    }
    int wanted = 0;
    if (!hostEnded && isOpen() && tcp.sendSpace() > 0) {
      wanted |= SelectionKey.OP_READ;
    }
    if (tcp.receiveWaiting() > 0) {
      wanted |= SelectionKey.OP_WRITE;
    }
    if (key.interestOps() != wanted) {
      key.interestOps(wanted);
    }
  }

  private boolean isOpen() {
    return tcp.state() != TcpConnection.State.SYN_SENT
        && tcp.state() != TcpConnection.State.SYN_RECEIVED;
  }

  @Override
  public void transmit(TcpConnection connection, TcpSegment segment) {
    segment.sourcePort = remotePort;
    segment.destinationPort = guestPort;
    gateway.send(guest, remoteAddress, segment, mss);
  }

  @Override
  public byte[] payloadArray() {
    return gateway.payloadArray();
  }

  @Override
  public int payloadOffset() {
    return PacketSender.HEADROOM;
  }

  @Override
  public boolean congested(TcpConnection connection) {
    return gateway.isCongested(guest);
  }

  @Override
  public void established() {}

  @Override
  public int deliver(byte[] data, int offset, int length) {
    try {
      return channel.write(ByteBuffer.wrap(data, offset, length));
    } catch (IOException e) {
      LOG.debug("a client went away: {}", e.getMessage());
      hostFailed = true;
      return length;
    }
  }

  @Override
  public void endOfStream() {
    try {
      channel.shutdownOutput();
    } catch (IOException e) {
      LOG.debug("a client went away: {}", e.getMessage());
      hostFailed = true;
    }
  }

  @Override
  public void sendSpace() {
    // The interest in reading is set when the turn ends.
  }

  @Override
  public void ended(TcpConnection.End end) {
    closeChannel(end != TcpConnection.End.FINISHED);
  }

  // ---- the host's side ----

  @Override
  public void ready(int operations) throws IOException {
    if (connecting) {
      channel.finishConnect();
      connecting = false;
      tcp.accept();
      changed();
      return;
    }
    if ((operations & SelectionKey.OP_WRITE) != 0) {
      tcp.drain();
    }
    if ((operations & SelectionKey.OP_READ) != 0
        && !hostEnded
        && tcp.writeFrom(channel, READ_PER_TURN) < 0) {
      hostEnded = true;
      tcp.closeOutput();
    }
    changed();
  }

  @Override
  public void failed(Exception cause) {
    LOG.debug("a connection of the host failed: {}", cause.getMessage());
    connecting = false;
    hostFailed = true;
    changed();
  }

  private void closeChannel(boolean reset) {
    try {
      if (reset && channel.isOpen()) {
        channel.setOption(StandardSocketOptions.SO_LINGER, 0);
      }
      channel.close();
    } catch (IOException e) {
      LOG.debug("closing failed: {}", e.getMessage());
    }
  }

  /** Frees everything. */
  void dispose() {
    gone = true;
    timer.cancel();
    if (!tcp.isEnded()) {
      tcp.abort();
    }
    closeChannel(false);
  }
}
