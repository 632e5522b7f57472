package io.lockstep.ft.transport;

import io.lockstep.ft.protocol.Message;
import io.lockstep.ft.protocol.MessageCodec;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Connections between replicas. Everything (reading, the listener, timers that the caller adds to
 * {@link #loop}, writing) happens on one thread, so that a message is handled where it was read and
 * an answer leaves without a change of thread.
 *
 * <p>On the wire a message is its length (4 bytes, big-endian, at most {@link
 * MessageCodec#MESSAGE_MAX}) and its bytes. Without TLS only loopback addresses are served and
 * connected to.
 */
public final class PairTransport implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(PairTransport.class);
  private static final int LENGTH_BYTES = 4;
  private static final int CONNECT_MILLIS = 1_000;
  private static final int HANDSHAKE_MILLIS = 5_000;
  private static final int CONNECTIONS_MAX = 16;
  private static final int WRITE_LOW = 1 << 20;
  private static final int WRITE_HIGH = 4 << 20;

  private final LinkListener listener;
  private final Optional<SSLContext> tls;
  private final MultiThreadIoEventLoopGroup group;
  private final Map<Long, Channel> channels = new ConcurrentHashMap<>();
  private long conns;
  private Channel server;

  /**
   * Makes a transport; it neither listens nor connects yet.
   *
   * @param tls certificates; empty for plaintext on loopback
   */
  public PairTransport(LinkListener listener, Optional<SSLContext> tls) {
    this.listener = listener;
    this.tls = tls;
    ThreadFactory thread = Thread.ofPlatform().name("pair").daemon().factory();
    this.group = new MultiThreadIoEventLoopGroup(1, thread, NioIoHandler.newFactory());
  }

  /** The one thread. */
  public ScheduledExecutorService loop() {
    return group;
  }

  /** Whether the caller is on the one thread. */
  public boolean isOnLoop() {
    return group.next().inEventLoop();
  }

  /** Runs something on the one thread, later; dropped when the transport is closed. */
  public void later(Runnable what) {
    try {
      group.execute(what);
    } catch (RejectedExecutionException e) {
      LOG.debug("Nothing happens any more: the transport is closed");
    }
  }

  /**
   * Accepts connections.
   *
   * @param address port 0 for any
   * @return where it listens
   * @throws IOException with a sentence for the user
   */
  public InetSocketAddress listen(InetSocketAddress address) throws IOException {
    requireLoopbackOrTls(address);
    var bound =
        new ServerBootstrap()
            .group(group)
            .channel(NioServerSocketChannel.class)
            .option(ChannelOption.SO_REUSEADDR, true)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childOption(
                ChannelOption.WRITE_BUFFER_WATER_MARK,
                new WriteBufferWaterMark(WRITE_LOW, WRITE_HIGH))
            .childHandler(new Setup(false, address))
            .bind(address)
            .awaitUninterruptibly();
    if (!bound.isSuccess()) {
      throw new IOException(
          "Nobody can listen on %s:%d (%s): choose another address."
              .formatted(address.getHostString(), address.getPort(), bound.cause().getMessage()),
          bound.cause());
    }
    server = bound.channel();
    return (InetSocketAddress) server.localAddress();
  }

  /**
   * Tries once to connect; the listener is told how it ended.
   *
   * @throws IOException if the address may not be connected to without TLS
   */
  public void connect(InetSocketAddress address) throws IOException {
    requireLoopbackOrTls(address);
    new Bootstrap()
        .group(group)
        .channel(NioSocketChannel.class)
        .option(ChannelOption.TCP_NODELAY, true)
        .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_MILLIS)
        .option(
            ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(WRITE_LOW, WRITE_HIGH))
        .handler(new Setup(true, address))
        .connect(address)
        .addListener(
            done -> {
              if (!done.isSuccess()) {
                boolean refused =
                    done.cause() instanceof ConnectException e
                        && !(e instanceof io.netty.channel.ConnectTimeoutException);
                LOG.debug("Cannot connect to {}: {}", address, done.cause().getMessage());
                listener.connectFailed(refused);
              }
            });
  }

  private void requireLoopbackOrTls(InetSocketAddress address) throws IOException {
    if (address.isUnresolved()) {
      throw new IOException(
          "The host name '%s' cannot be resolved.".formatted(address.getHostString()));
    }
    if (tls.isEmpty() && !address.getAddress().isLoopbackAddress()) {
      throw new IOException(
          "%s is not a loopback address, and without certificates only those are allowed: make some with 'lockstep pki'."
              .formatted(address.getHostString()));
    }
  }

  /** Sends a message, from any thread. Dropped if the connection is gone. */
  public void send(long conn, Message message) {
    Channel channel = channels.get(conn);
    if (channel != null) {
      byte[] bytes = MessageCodec.encode(message);
      ByteBuf length = channel.alloc().ioBuffer(LENGTH_BYTES).writeInt(bytes.length);
      channel.writeAndFlush(
          Unpooled.wrappedBuffer(length, Unpooled.wrappedBuffer(bytes)), channel.voidPromise());
    }
  }

  /** Whether more than a few megabytes wait to be sent on the connection. False if it is gone. */
  public boolean isCongested(long conn) {
    Channel channel = channels.get(conn);
    return channel != null && !channel.isWritable();
  }

  /** Whether the connection stands. */
  public boolean isUp(long conn) {
    return channels.containsKey(conn);
  }

  /** Ends a connection after what was sent on it. */
  public void close(long conn) {
    Channel channel = channels.get(conn);
    if (channel != null) {
      channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
    }
  }

  /** Ends everything, at once but for what was sent already. */
  @Override
  public void close() {
    if (server != null) {
      server.close();
    }
    group.shutdownGracefully(0, 500, TimeUnit.MILLISECONDS).awaitUninterruptibly();
  }

  private final class Setup extends ChannelInitializer<SocketChannel> {
    private final boolean client;
    private final InetSocketAddress address;

    Setup(boolean client, InetSocketAddress address) {
      this.client = client;
      this.address = address;
    }

    @Override
    protected void initChannel(SocketChannel channel) {
      if (!client && channels.size() >= CONNECTIONS_MAX) {
        LOG.warn(
            "A connection from {} was refused: there are {} already",
            channel.remoteAddress(),
            CONNECTIONS_MAX);
        channel.close();
        return;
      }
      tls.ifPresent(context -> channel.pipeline().addLast(handler(context)));
      channel
          .pipeline()
          .addLast(
              new LengthFieldBasedFrameDecoder(
                  MessageCodec.MESSAGE_MAX, 0, LENGTH_BYTES, 0, LENGTH_BYTES))
          .addLast(new Endpoint(client, address));
    }

    private SslHandler handler(SSLContext context) {
      SSLEngine engine =
          client
              ? context.createSSLEngine(address.getHostString(), address.getPort())
              : context.createSSLEngine();
      engine.setUseClientMode(client);
      SSLParameters parameters = engine.getSSLParameters();
      parameters.setProtocols(new String[] {"TLSv1.3"});
      parameters.setNeedClientAuth(!client);
      engine.setSSLParameters(parameters);
      SslHandler handler = new SslHandler(engine);
      handler.setHandshakeTimeoutMillis(HANDSHAKE_MILLIS);
      return handler;
    }
  }

  private final class Endpoint extends SimpleChannelInboundHandler<ByteBuf> {
    private final boolean client;
    private final InetSocketAddress address;
    private long conn;
    private boolean failed;
    private boolean told;

    Endpoint(boolean client, InetSocketAddress address) {
      this.client = client;
      this.address = address;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
      if (tls.isEmpty()) {
        up(context);
      }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event instanceof SslHandshakeCompletionEvent handshake) {
        if (handshake.isSuccess()) {
          up(context);
        } else {
          tellWhy(context, handshake.cause());
          fail();
          context.close();
        }
      }
    }

    private void tellWhy(ChannelHandlerContext context, Throwable cause) {
      if (!told) {
        TlsTrouble.sentence(peer(context), cause)
            .ifPresent(
                sentence -> {
                  told = true;
                  listener.untrusted(sentence);
                });
      }
    }

    private String peer(ChannelHandlerContext context) {
      InetSocketAddress at =
          client ? address : (InetSocketAddress) context.channel().remoteAddress();
      return client
          ? "the host at %s:%d".formatted(at.getHostString(), at.getPort())
          : "the host at " + at.getAddress().getHostAddress();
    }

    private void up(ChannelHandlerContext context) {
      conn = ++conns;
      channels.put(conn, context.channel());
      if (client) {
        listener.connected(conn);
      }
    }

    private void fail() {
      if (client && conn == 0 && !failed) {
        failed = true;
        listener.connectFailed(false);
      }
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, ByteBuf frame) {
      byte[] bytes = new byte[frame.readableBytes()];
      frame.readBytes(bytes);
      Message message;
      try {
        message = MessageCodec.decode(bytes);
      } catch (MessageCodec.BadMessage e) {
        LOG.warn(
            "{} sent nonsense and is cut off: {}",
            context.channel().remoteAddress(),
            e.getMessage());
        context.close();
        return;
      }
      if (conn != 0) {
        listener.received(conn, message);
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      if (conn != 0 && channels.remove(conn) != null) {
        listener.down(conn);
      }
      fail();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      // A reset, a broken TLS record, a frame that is too long: the connection is of no use any
      // more. With TLS 1.3 a client's handshake is over before the server looks at its certificate.
      tellWhy(context, cause);
      LOG.debug(
          "Connection {} with {}: {}", conn, context.channel().remoteAddress(), cause.toString());
      context.close();
    }
  }
}
