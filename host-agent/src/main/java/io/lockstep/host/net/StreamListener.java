package io.lockstep.host.net;

import io.lockstep.host.net.loop.EventLoop;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnknownHostException;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Accepts ports on one address. */
final class StreamListener implements EventLoop.Handler, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(StreamListener.class);
  private static final int BACKLOG = 128;
  private static final int UNIX_BUFFER = 1 << 20;

  private final SwitchAddress wanted;
  private final ServerSocketChannel channel;
  private final StreamPort.Context context;
  private final Set<StreamPort> ports = new HashSet<>();
  private final int portsMax;
  private int accepted;

  private StreamListener(
      SwitchAddress wanted, ServerSocketChannel channel, StreamPort.Context context, int portsMax) {
    this.wanted = wanted;
    this.channel = channel;
    this.portsMax = portsMax;
    this.context =
        new StreamPort.Context(
            context.loop(),
            context.l2(),
            context.tls(),
            context.status(),
            context.scratch(),
            ports::remove);
  }

  /**
   * Binds the address; {@link #start} begins to accept.
   *
   * @throws IOException with a sentence for the user
   */
  static StreamListener bind(SwitchAddress wanted, StreamPort.Context context, int portsMax)
      throws IOException {
    SocketAddress address;
    try {
      address = wanted.resolve();
    } catch (UnknownHostException e) {
      throw new IOException("there is no host for " + wanted, e);
    } catch (IllegalArgumentException e) {
      throw new IOException(wanted + " cannot be used: " + e.getMessage(), e);
    }
    if (!SwitchAddress.isLocal(address) && context.tls().isEmpty()) {
      throw new IOException(
          "listening on "
              + wanted
              + " needs --tls-cert, --tls-key and --tls-ca: only loopback addresses and Unix"
              + " sockets are served without TLS");
    }
    ServerSocketChannel channel =
        wanted instanceof SwitchAddress.Unix unix ? openUnix(unix) : ServerSocketChannel.open();
    try {
      channel.configureBlocking(false);
      if (wanted instanceof SwitchAddress.Tcp) {
        channel.setOption(StandardSocketOptions.SO_REUSEADDR, true);
      }
      channel.bind(address, BACKLOG);
    } catch (BindException e) {
      channel.close();
      throw new IOException(
          wanted + " cannot be listened on: " + e.getMessage() + "; choose another with --listen",
          e);
    } catch (IOException e) {
      channel.close();
      throw new IOException(wanted + " cannot be listened on: " + e.getMessage(), e);
    }
    return new StreamListener(wanted, channel, context, portsMax);
  }

  private static ServerSocketChannel openUnix(SwitchAddress.Unix unix) throws IOException {
    if (Files.exists(unix.path())) {
      try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
        probe.connect(unix.resolve());
        throw new BindException("another process listens there");
      } catch (BindException e) {
        throw new IOException(unix + " cannot be listened on: " + e.getMessage(), e);
      } catch (IOException e) {
        // Nobody is behind it: it was left by a process that is gone.
        if (Files.isRegularFile(unix.path()) || Files.isDirectory(unix.path())) {
          throw new IOException(unix.path() + " is not a socket; choose another path", e);
        }
        Files.deleteIfExists(unix.path());
      }
    }
    return ServerSocketChannel.open(StandardProtocolFamily.UNIX);
  }

  void start() throws IOException {
    context.loop().register(channel, SelectionKey.OP_ACCEPT, this);
  }

  /** The address that was bound, with the real port. */
  SwitchAddress address() throws IOException {
    return channel.getLocalAddress() instanceof InetSocketAddress inet
        ? new SwitchAddress.Tcp(inet.getAddress().getHostAddress(), inet.getPort())
        : wanted;
  }

  @Override
  public void ready(int operations) throws IOException {
    SocketChannel peer = channel.accept();
    while (peer != null) {
      admit(peer);
      peer = channel.accept();
    }
  }

  private void admit(SocketChannel peer) {
    try {
      SocketAddress from = peer.getRemoteAddress();
      boolean local = SwitchAddress.isLocal(from) || wanted instanceof SwitchAddress.Unix;
      if (ports.size() >= portsMax || !local && context.tls().isEmpty()) {
        LOG.warn("refused a port from {}: {}", from, local ? "too many ports" : "it needs TLS");
        peer.close();
        return;
      }
      peer.configureBlocking(false);
      if (wanted instanceof SwitchAddress.Tcp) {
        peer.setOption(StandardSocketOptions.TCP_NODELAY, true);
        peer.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
      } else {
        peer.setOption(StandardSocketOptions.SO_SNDBUF, UNIX_BUFFER);
      }
      StreamPort port = new StreamPort(context, peer, local, "port" + portNumber());
      port.start();
      ports.add(port);
      LOG.info("{} from {}", port.name(), from instanceof InetSocketAddress ? from : wanted);
    } catch (IOException e) {
      LOG.info("a port was lost while it connected: {}", e.getMessage());
      closeQuietly(peer);
    }
  }

  private String portNumber() {
    accepted++;
    return accepted + (wanted instanceof SwitchAddress.Unix ? "u" : "");
  }

  @Override
  public void failed(Exception cause) {
    LOG.warn("{}: accepting a port failed: {}", wanted, cause.getMessage());
  }

  /** Closes the address and its ports. On the loop. */
  @Override
  public void close() throws IOException {
    for (StreamPort port : List.copyOf(ports)) {
      port.close("the switch stops");
    }
    channel.close();
    if (wanted instanceof SwitchAddress.Unix unix) {
      Files.deleteIfExists(unix.path());
    }
  }

  private static void closeQuietly(SocketChannel channel) {
    try {
      channel.close();
    } catch (IOException e) {
      LOG.debug("closing failed: {}", e.getMessage());
    }
  }
}
