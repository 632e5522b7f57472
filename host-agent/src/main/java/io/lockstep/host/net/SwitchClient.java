package io.lockstep.host.net;

import io.lockstep.ft.transport.TlsTrouble;
import io.lockstep.host.net.loop.EventLoop;
import io.lockstep.host.net.loop.Timer;
import io.lockstep.host.net.wire.Frame;
import io.lockstep.host.net.wire.Mac;
import java.io.IOException;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.security.SecureRandom;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.SSLContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A VM's port on a switch, from the VM's side. It connects by itself, and again when the connection
 * is lost, until it is closed or the switch says that its epoch is over.
 *
 * <p>The port of a secondary connects in advance and waits; {@link #claim} then is one message on a
 * connection that stands, and packets may follow at once, without waiting for the answer: if the
 * claim is refused, the switch drops them.
 */
public final class SwitchClient implements NetworkLink {
  /**
   * What happens to the port. Calls come on the client's thread, except for those that {@link
   * #close} ends.
   */
  public interface Listener extends Receiver {
    /** The switch has answered a hello or a claim. */
    default void answered(ClaimAnswer answer) {}

    /** The connection is lost and being made again. */
    default void disconnected(String reason) {}

    /** The port is finished: a newer epoch exists, or the switch will never take this port. */
    default void refused(ClaimAnswer answer, long newestEpoch) {}
  }

  /**
   * Who connects and where.
   *
   * @param tls what to use for TLS; required unless the address is a loopback one or a Unix socket
   * @param vm identity of the VM, the same for primary and secondary
   * @param mac address of the network card
   * @param abilities which {@code Offload} bits the VM takes
   */
  public record Config(
      SwitchAddress address, Optional<SSLContext> tls, UUID vm, long mac, int abilities) {}

  private static final Logger LOG = LoggerFactory.getLogger(SwitchClient.class);
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final int QUEUE_LIMIT = 4 << 20;
  private static final long BACKOFF_MIN = 5_000_000L;
  private static final long BACKOFF_MAX = 500_000_000L;

  private enum Stage {
    IDLE,
    CONNECTING,
    CONNECTED,
    OVER
  }

  private final Config config;
  private final Listener listener;
  private final EventLoop loop;
  private final long instance = RANDOM.nextLong();
  private final AtomicLong dropped = new AtomicLong();
  private final Timer retry;

  // Guards all below: packets are sent from the caller's thread.
  private final Object lock = new Object();
  private OutQueue queue = new OutQueue(QUEUE_LIMIT);
  private Incoming incoming = new Incoming();
  private FrameReader reader = new FrameReader(ControlMessage.REPLY_MAX);
  private Stage stage = Stage.IDLE;
  private SocketChannel channel;
  private SelectionKey key;
  private ByteStream stream;
  private boolean primary;
  private long epoch;
  private long backoff = BACKOFF_MIN;
  private CompletableFuture<ClaimAnswer> claim = new CompletableFuture<>();
  private boolean owner;
  private boolean ownLoop;
  private String said = "";

  private SwitchClient(Config config, Listener listener, EventLoop loop, boolean ownLoop) {
    this.config = config;
    this.listener = listener;
    this.loop = loop;
    this.ownLoop = ownLoop;
    this.retry = loop.timer(this::connect);
  }

  /** Connects the port of a VM that runs, and claims its address. */
  public static SwitchClient primary(Config config, long epoch, Listener listener) {
    return start(config, true, epoch, listener);
  }

  /** Connects the port of a secondary, which waits for {@link #claim}. */
  public static SwitchClient secondary(Config config, Listener listener) {
    return start(config, false, 0, listener);
  }

  private static SwitchClient start(Config config, boolean primary, long epoch, Listener listener) {
    if (!Mac.isUsableSource(config.mac())) {
      throw new IllegalArgumentException(Mac.format(config.mac()) + " is no address for a card");
    }
    EventLoop loop = EventLoop.start("lockstep-port-" + Mac.format(config.mac()));
    SwitchClient client = new SwitchClient(config, listener, loop, true);
    client.primary = primary;
    client.epoch = epoch;
    loop.execute(client::connect);
    return client;
  }

  /**
   * Makes this the port of a running VM: one message, written by the calling thread if the
   * connection stands, so that packets sent afterwards arrive after it. Also changes the epoch of a
   * port that is an owner already.
   *
   * @return the switch's answer; completes later if the connection is down. Nobody needs to wait
   *     for it
   */
  public CompletableFuture<ClaimAnswer> claim(long newEpoch) {
    synchronized (lock) {
      primary = true;
      epoch = newEpoch;
      claim = new CompletableFuture<>();
      sendClaim();
      return claim;
    }
  }

  /** True while the switch has confirmed that this port owns its address. */
  public boolean isUp() {
    synchronized (lock) {
      return stage == Stage.CONNECTED && owner;
    }
  }

  @Override
  public void send(byte[] packet, int offset, int length) {
    synchronized (lock) {
      if (stage != Stage.CONNECTED
          || !primary
          || length > Frame.MAX_LENGTH + Frame.VNET_HEADER
          || !queue.add(packet, offset, length)) {
        dropped.incrementAndGet();
        return;
      }
      flush();
    }
  }

  @Override
  public long dropped() {
    return dropped.get();
  }

  /** Ends the port and its thread. */
  @Override
  public void close() {
    synchronized (lock) {
      stage = Stage.OVER;
      closeChannel();
    }
    if (ownLoop) {
      loop.close();
    }
  }

  // ---- connection, on the loop ----

  private void connect() {
    synchronized (lock) {
      if (stage != Stage.IDLE) {
        return;
      }
      stage = Stage.CONNECTING;
      try {
        SocketAddress address = config.address().resolveFor(config.tls());
        boolean unix = config.address() instanceof SwitchAddress.Unix;
        channel = unix ? SocketChannel.open(StandardProtocolFamily.UNIX) : SocketChannel.open();
        channel.configureBlocking(false);
        if (!unix) {
          channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
          channel.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
        }
        boolean done = channel.connect(address);
        key =
            loop.register(
                channel, done ? SelectionKey.OP_READ : SelectionKey.OP_CONNECT, new Events());
        if (done) {
          onConnected();
        }
      } catch (IOException | IllegalArgumentException e) {
        lost(e);
      }
    }
  }

  private void onConnected() throws IOException {
    stage = Stage.CONNECTED;
    queue = new OutQueue(QUEUE_LIMIT);
    reader = new FrameReader(ControlMessage.REPLY_MAX);
    incoming = new Incoming();
    owner = false;
    stream =
        config.tls().isPresent()
            ? new TlsStream(
                channel,
                TlsFiles.engine(config.tls().get(), true),
                ByteBuffer.allocate(0),
                () -> loop.execute(this::resume))
            : new ByteStream.Plain(channel);
    key.interestOps(SelectionKey.OP_READ);
    queue.addRaw(
        ControlMessage.encode(
            new ControlMessage.Hello(
                primary, config.vm(), epoch, instance, config.mac(), config.abilities())));
    flush();
  }

  private void resume() {
    synchronized (lock) {
      if (stage == Stage.CONNECTED) {
        flush();
      }
    }
    onReadable();
  }

  private final class Events implements EventLoop.Handler {
    @Override
    public void ready(int operations) throws IOException {
      synchronized (lock) {
        if (stage == Stage.CONNECTING) {
          if (channel.finishConnect()) {
            onConnected();
          }
          return;
        }
        if ((operations & SelectionKey.OP_WRITE) != 0 || config.tls().isPresent()) {
          flush();
        }
      }
      if ((operations & SelectionKey.OP_READ) != 0) {
        onReadable();
      }
    }

    @Override
    public void failed(Exception cause) {
      lost(cause);
    }
  }

  private void onReadable() {
    FrameReader from;
    Incoming consumer;
    ByteStream source;
    synchronized (lock) {
      if (stage != Stage.CONNECTED) {
        return;
      }
      from = reader;
      consumer = incoming;
      source = config.tls().isPresent() ? new Locked(stream) : stream;
    }
    try {
      // Not under the lock: the receiver may wait for a thread that wants to send.
      if (!from.read(source, consumer)) {
        lost("the switch closed the connection");
      } else if (config.tls().isPresent()) {
        resumeTls(from.isUnfinished());
      }
    } catch (IOException e) {
      lost(e);
    }
  }

  private void resumeTls(boolean unfinished) {
    synchronized (lock) {
      flush();
    }
    if (unfinished) {
      loop.execute(this::onReadable);
    }
  }

  /** TLS can't be read and written at the same time. */
  private final class Locked implements ByteStream {
    private final ByteStream stream;

    Locked(ByteStream stream) {
      this.stream = stream;
    }

    @Override
    public int read(ByteBuffer target) throws IOException {
      synchronized (lock) {
        return stream.read(target);
      }
    }

    @Override
    public boolean write(ByteBuffer source) throws IOException {
      synchronized (lock) {
        return stream.write(source);
      }
    }

    @Override
    public void shutdown() {
      stream.shutdown();
    }
  }

  private final class Incoming implements FrameReader.Consumer {
    private boolean answered;

    @Override
    public boolean frame(byte[] data, int offset, int length) {
      // Before the answer to our hello, frames are those that any silent peer gets.
      if (answered && length >= Frame.VNET_HEADER) {
        listener.packet(data, offset, length);
      }
      return true;
    }

    @Override
    public boolean control(byte[] data, int offset, int length) {
      answered = true;
      if (ControlMessage.decode(data, offset, length).orElse(null)
          instanceof ControlMessage.Answer a) {
        onAnswer(a);
        return !a.answer().isRefusal();
      }
      return true;
    }
  }

  private void onAnswer(ControlMessage.Answer a) {
    CompletableFuture<ClaimAnswer> waiting;
    boolean over;
    synchronized (lock) {
      if (!a.answer().isRefusal()) {
        backoff = BACKOFF_MIN;
      }
      owner = a.answer() == ClaimAnswer.OWNER;
      waiting = claim;
      over = isFinal(a.answer());
      if (over) {
        stage = Stage.OVER;
        closeChannel();
      }
    }
    if (a.answer() != ClaimAnswer.WAITING) {
      waiting.complete(a.answer());
    }
    if (over) {
      LOG.info("the switch refused the port: {} (newest epoch {})", a.answer(), a.newestEpoch());
      listener.refused(a.answer(), a.newestEpoch());
    } else {
      listener.answered(a.answer());
    }
  }

  /** What will not change by asking again. */
  private static boolean isFinal(ClaimAnswer answer) {
    return switch (answer) {
      case STALE_EPOCH, MALFORMED, VERSION -> true;
      case WAITING, OWNER, EPOCH_IN_USE, MAC_IN_USE, FULL -> false;
    };
  }

  private void sendClaim() {
    if (stage == Stage.CONNECTED) {
      queue.addRaw(
          ControlMessage.encode(new ControlMessage.Claim(epoch, config.mac(), config.abilities())));
      flush();
    }
  }

  /** Under the lock. */
  private void flush() {
    if (stage != Stage.CONNECTED || !key.isValid()) {
      return;
    }
    try {
      boolean idle = queue.flush(stream);
      int wanted = idle ? SelectionKey.OP_READ : SelectionKey.OP_READ | SelectionKey.OP_WRITE;
      if (key.interestOps() != wanted) {
        key.interestOps(wanted);
        if (!loop.inLoop()) {
          loop.execute(() -> {}); // the selector looks at interests only when it starts to wait
        }
      }
    } catch (IOException e) {
      loop.execute(() -> lost(e));
    }
  }

  private void lost(Exception cause) {
    Optional<String> distrust = TlsTrouble.sentence("the switch at " + config.address(), cause);
    // Repeated every half second until somebody puts it right; said once.
    if (distrust.isPresent() && !distrust.get().equals(said)) {
      said = distrust.get();
      LOG.warn("{}", said);
    }
    lost(distrust.orElse(cause.getMessage() == null ? cause.toString() : cause.getMessage()));
  }

  private void lost(String reason) {
    boolean wasUp;
    synchronized (lock) {
      if (stage == Stage.OVER || stage == Stage.IDLE) {
        return;
      }
      wasUp = stage == Stage.CONNECTED;
      stage = Stage.IDLE;
      closeChannel();
      retry.at(loop.now() + backoff);
      backoff = Math.min(BACKOFF_MAX, backoff * 2);
    }
    if (wasUp) {
      LOG.info("the connection to the switch at {} is lost: {}", config.address(), reason);
      listener.disconnected(reason);
    }
  }

  private void closeChannel() {
    if (channel == null) {
      return;
    }
    try {
      if (stream != null) {
        stream.shutdown();
      }
      channel.close();
    } catch (IOException e) {
      LOG.debug("closing failed: {}", e.getMessage());
    }
  }

  /**
   * Asks a switch for its state.
   *
   * @return JSON text
   * @throws IOException with a sentence for the user
   */
  public static String status(SwitchAddress address, Optional<SSLContext> tls) throws IOException {
    return StatusQuery.ask(address, tls);
  }
}
