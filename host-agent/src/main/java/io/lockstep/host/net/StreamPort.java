package io.lockstep.host.net;

import io.lockstep.ft.transport.TlsTrouble;
import io.lockstep.host.net.loop.EventLoop;
import io.lockstep.host.net.loop.Timer;
import io.lockstep.host.net.wire.Frame;
import io.lockstep.host.net.wire.Offload;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import javax.net.ssl.SSLContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A port whose other end is a stream socket: a QEMU stream netdev, which sends nothing but frames,
 * or a Lockstep VM, which first says who it is.
 */
final class StreamPort implements SwitchPort, EventLoop.Handler {
  /** What a port shares with all others of its switch. */
  record Context(
      EventLoop loop,
      L2Switch l2,
      Optional<SSLContext> tls,
      Supplier<String> status,
      byte[] scratch,
      Consumer<StreamPort> closed) {}

  static final int QUEUE_LIMIT = 4 << 20;
  static final int CONGESTED = 1 << 20;

  private static final Logger LOG = LoggerFactory.getLogger(StreamPort.class);
  private static final int TLS_HANDSHAKE_RECORD = 0x16;

  /**
   * A plain peer that has nothing to say yet becomes a port after this time, so that a guest that
   * only listens is reached too. A Lockstep VM that was slow to say hello may still do so.
   */
  private static final long SILENCE = 500_000_000L;

  /** A peer that isn't through its TLS handshake after this time is dropped. */
  private static final long HANDSHAKE_TIME = 10_000_000_000L;

  private enum Stage {
    /** Nothing has been received: not even whether it is TLS is known. */
    NEW,
    /** Stream set up, peer unknown. */
    UNKNOWN,
    PLAIN,
    VM,
    CLOSED
  }

  private final Context context;
  private final SocketChannel channel;
  private final boolean local;
  private final String name;
  private final PortCounters counters = new PortCounters();
  private final OutQueue queue = new OutQueue(QUEUE_LIMIT);
  private final FrameReader reader = new FrameReader(ControlMessage.REQUEST_MAX);
  private final Frame inFrame = new Frame();
  private final Frame workFrame = new Frame();
  private final Consumer<Frame> enqueue = this::enqueue;
  private final FrameReader.Consumer incoming = new Incoming();
  private final Timer silence;
  private SelectionKey key;
  private ByteStream stream;
  private Stage stage = Stage.NEW;
  private L2Switch.Attachment attachment;
  private ControlMessage.Hello hello;
  private int abilities;
  private boolean flushPending;
  private boolean closeWhenFlushed;

  StreamPort(Context context, SocketChannel channel, boolean local, String name) {
    this.context = context;
    this.channel = channel;
    this.local = local;
    this.name = name;
    this.stream = new ByteStream.Plain(channel);
    this.silence = context.loop.timer(this::onSilence);
  }

  void start() throws IOException {
    key = context.loop.register(channel, SelectionKey.OP_READ, this);
    silence.at(context.loop.now() + (local && context.tls.isEmpty() ? SILENCE : HANDSHAKE_TIME));
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public PortCounters counters() {
    return counters;
  }

  @Override
  public boolean isCongested() {
    return queue.size() > CONGESTED;
  }

  // ---- in ----

  @Override
  public void ready(int operations) throws IOException {
    if (stage == Stage.NEW && !chooseStream()) {
      return;
    }
    if ((operations & SelectionKey.OP_WRITE) != 0) {
      flush();
    }
    if (stage != Stage.CLOSED && !reader.read(stream, incoming)) {
      if (!closeWhenFlushed) {
        close("the peer closed the connection");
      }
      return;
    }
    if (stream instanceof TlsStream) {
      flush();
      if (reader.isUnfinished()) {
        context.loop.execute(this::resume);
      }
    }
  }

  @Override
  public void failed(Exception cause) {
    close(
        TlsTrouble.sentence("the other side", cause)
            .orElse(cause.getMessage() == null ? cause.toString() : cause.getMessage()));
  }

  /**
   * Finds out from the first byte whether the peer speaks TLS; false if there is none yet or it
   * mustn't go on.
   */
  private boolean chooseStream() throws IOException {
    if (local && context.tls.isEmpty()) {
      stage = Stage.UNKNOWN;
      return true;
    }
    ByteBuffer first = ByteBuffer.allocate(1);
    int count = channel.read(first);
    if (count <= 0) {
      if (count < 0) {
        close("the peer closed the connection");
      }
      return false;
    }
    first.flip();
    boolean tls = (first.get(0) & 0xff) == TLS_HANDSHAKE_RECORD;
    if (!tls && !local) {
      close("plaintext is taken from this machine only; use TLS");
      return false;
    }
    stage = Stage.UNKNOWN;
    if (tls) {
      stream =
          new TlsStream(
              channel,
              TlsFiles.engine(context.tls.orElseThrow(), false),
              first,
              () -> context.loop.execute(this::resume));
    } else {
      stream = new Pushback(first, new ByteStream.Plain(channel));
    }
    return true;
  }

  private void resume() {
    if (stage == Stage.CLOSED) {
      return;
    }
    try {
      ready(SelectionKey.OP_READ | SelectionKey.OP_WRITE);
    } catch (IOException e) {
      failed(e);
    }
  }

  private void onSilence() {
    if (stage != Stage.NEW && stage != Stage.UNKNOWN) {
      return;
    }
    if (stream instanceof TlsStream || !local) {
      close("the peer did not finish its TLS handshake in time");
    } else {
      becomePlain();
    }
  }

  private boolean becomePlain() {
    attachment = context.l2.attach(this);
    if (attachment == null) {
      close("the switch has no free port");
      return false;
    }
    silence.cancel();
    if (stage == Stage.UNKNOWN) {
      stage = Stage.PLAIN;
    }
    return true;
  }

  private final class Incoming implements FrameReader.Consumer {
    @Override
    public boolean frame(byte[] data, int offset, int length) {
      if (stage == Stage.UNKNOWN) {
        if (attachment == null && !becomePlain()) {
          return false;
        }
        stage = Stage.PLAIN;
      }
      if (stage == Stage.VM) {
        if (inFrame.setWithHeader(data, offset, length)) {
          attachment.receive(inFrame);
        } else {
          counters.droppedMalformed++;
        }
      } else if (stage == Stage.PLAIN) {
        attachment.receive(inFrame.set(data, offset, length));
      }
      return stage != Stage.CLOSED;
    }

    @Override
    public boolean control(byte[] data, int offset, int length) {
      Optional<ControlMessage> message = ControlMessage.decode(data, offset, length);
      if (message.isEmpty()) {
        close("the peer sent a malformed control message");
        return false;
      }
      switch (message.get()) {
        case ControlMessage.Hello h -> onHello(h);
        case ControlMessage.Claim c -> onClaim(c);
        case ControlMessage.StatusRequest r -> onStatusRequest();
        case ControlMessage.OtherVersion v -> refuse(ClaimAnswer.VERSION, 0);
        case ControlMessage.Answer a -> refuse(ClaimAnswer.MALFORMED, 0);
        case ControlMessage.Status s -> refuse(ClaimAnswer.MALFORMED, 0);
      }
      return stage != Stage.CLOSED && !closeWhenFlushed;
    }
  }

  private void onHello(ControlMessage.Hello h) {
    if (stage != Stage.UNKNOWN) {
      refuse(ClaimAnswer.MALFORMED, 0);
      return;
    }
    if (attachment != null) {
      attachment.detach(); // it was taken for a plain peer that is silent
    }
    attachment = context.l2.attach(this);
    if (attachment == null) {
      refuse(ClaimAnswer.FULL, 0);
      return;
    }
    silence.cancel();
    stage = Stage.VM;
    hello = h;
    abilities = h.abilities();
    if (h.primary()) {
      claim(h.epoch(), h.mac());
    } else {
      attachment.becomeWaiting(h.mac());
      answer(ClaimAnswer.WAITING, attachment.newestEpoch(h.vm()));
    }
  }

  private void onClaim(ControlMessage.Claim c) {
    if (stage != Stage.VM) {
      refuse(ClaimAnswer.MALFORMED, 0);
      return;
    }
    abilities = c.abilities();
    claim(c.epoch(), c.mac());
  }

  private void claim(long epoch, long mac) {
    // The answer goes first: a VM ignores what comes before the answer to its hello.
    ClaimAnswer answer =
        attachment.claim(
            hello.vm(), epoch, hello.instance(), mac, () -> answer(ClaimAnswer.OWNER, epoch));
    if (answer.isRefusal()) {
      LOG.info("{}: VM {} epoch {} was refused: {}", name, hello.vm(), epoch, answer);
      refuse(answer, attachment.newestEpoch(hello.vm()));
    }
  }

  private void onStatusRequest() {
    if (stage == Stage.UNKNOWN) {
      queue.addRaw(ControlMessage.encode(new ControlMessage.Status(context.status.get())));
      closeWhenFlushed = true;
      scheduleFlush();
    } else {
      refuse(ClaimAnswer.MALFORMED, 0);
    }
  }

  private void answer(ClaimAnswer answer, long newestEpoch) {
    queue.addRaw(ControlMessage.encode(new ControlMessage.Answer(answer, newestEpoch)));
    scheduleFlush();
  }

  /** Says why and closes; from now on nothing that comes from there counts. */
  private void refuse(ClaimAnswer answer, long newestEpoch) {
    if (attachment != null) {
      attachment.detach();
    }
    answer(answer, newestEpoch);
    closeWhenFlushed = true;
  }

  // ---- out ----

  @Override
  public void send(Frame frame) {
    if (stage == Stage.CLOSED || closeWhenFlushed) {
      return;
    }
    int takes = stage == Stage.VM ? abilities : Offload.NONE;
    if (!Offload.adapt(frame, takes, context.scratch, workFrame, enqueue)) {
      counters.droppedMalformed++;
    }
  }

  private void enqueue(Frame frame) {
    if (queue.add(frame, stage == Stage.VM)) {
      counters.countOut(frame.length);
      scheduleFlush();
    } else {
      counters.droppedQueueFull++;
    }
  }

  private void scheduleFlush() {
    // While the socket is full its readiness drives the queue.
    if (!flushPending
        && key != null
        && key.isValid()
        && (key.interestOps() & SelectionKey.OP_WRITE) == 0) {
      flushPending = true;
      context.loop.deferOutput(this::flushDeferred);
    }
  }

  private void flushDeferred() {
    flushPending = false;
    try {
      flush();
    } catch (IOException e) {
      failed(e);
    }
  }

  private void flush() throws IOException {
    if (stage == Stage.CLOSED || !key.isValid()) {
      return;
    }
    boolean idle = queue.flush(stream);
    if (queue.size() == 0 && closeWhenFlushed) {
      close("done");
      return;
    }
    key.interestOps(idle ? SelectionKey.OP_READ : SelectionKey.OP_READ | SelectionKey.OP_WRITE);
  }

  @Override
  public void cutOff(String reason) {
    if (stage == Stage.CLOSED) {
      return;
    }
    // The peer should learn why, if it is alive; it is cut off already.
    queue.addRaw(
        ControlMessage.encode(
            new ControlMessage.Answer(
                ClaimAnswer.STALE_EPOCH, hello == null ? 0 : attachment.newestEpoch(hello.vm()))));
    try {
      queue.flush(stream);
    } catch (IOException e) {
      LOG.debug("{}: {}", name, e.getMessage());
    }
    close(reason);
  }

  void close(String reason) {
    if (stage == Stage.CLOSED) {
      return;
    }
    stage = Stage.CLOSED;
    silence.cancel();
    if (attachment != null) {
      attachment.detach();
    }
    queue.clear();
    stream.shutdown();
    try {
      channel.close();
    } catch (IOException e) {
      LOG.debug("{}: {}", name, e.getMessage());
    }
    LOG.info("{} closed: {}", name, reason);
    context.closed.accept(this);
  }

  /** A stream of which the first byte has been looked at. */
  private static final class Pushback implements ByteStream {
    private final ByteBuffer first;
    private final ByteStream rest;

    Pushback(ByteBuffer first, ByteStream rest) {
      this.first = first;
      this.rest = rest;
    }

    @Override
    public int read(ByteBuffer target) throws IOException {
      if (first.hasRemaining()) {
        int count = first.remaining();
        target.put(first);
        return count;
      }
      return rest.read(target);
    }

    @Override
    public boolean write(ByteBuffer source) throws IOException {
      return rest.write(source);
    }

    @Override
    public void shutdown() {
      rest.shutdown();
    }
  }
}
