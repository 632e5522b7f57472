package io.lockstep.ft.pair;

import io.lockstep.ft.protocol.Effect;
import io.lockstep.ft.protocol.Ending;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.Event;
import io.lockstep.ft.protocol.Message;
import io.lockstep.ft.protocol.Pair;
import io.lockstep.ft.protocol.PairConfig;
import io.lockstep.ft.protocol.PairState;
import io.lockstep.ft.protocol.Role;
import io.lockstep.ft.protocol.StatusView;
import io.lockstep.ft.transport.LinkListener;
import io.lockstep.ft.transport.PairTransport;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.VirtualMachine;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One side of a pair, in production: feeds the protocol with what happens and does what it says.
 * The protocol runs on the transport's thread; the machine has its own, whether it is live or
 * replayed.
 */
public final class Replica implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Replica.class);
  private static final long TICK_NANOS = 10_000_000;
  private static final long POLL_NANOS = 500_000_000;
  private static final long ABORT_WAIT_SECONDS = 5;
  private static final long SAME_NOTICE_NANOS = 10_000_000_000L;

  /**
   * Where and with whom.
   *
   * @param pair names, timing
   * @param listen where this side accepts secondaries when it is the primary; port 0 for any
   * @param peer where the primary is, for a secondary; otherwise empty
   * @param tls certificates; empty for plaintext on loopback
   */
  public record Setup(
      PairConfig pair,
      InetSocketAddress listen,
      Optional<InetSocketAddress> peer,
      Optional<SSLContext> tls) {}

  private final Setup setup;
  private final ReplicaHost host;
  private final Epochs epochs;
  private final Pair pair;
  private final PairTransport transport;
  private final ScheduledExecutorService thread;
  private final ArrayDeque<Event> waiting = new ArrayDeque<>();
  private final MachineThread machineThread = new MachineThread();
  private final LiveSide live;
  private final FollowingSide following;
  private volatile PairState state;
  private boolean handling;
  private long polledAt;
  private volatile boolean ended;
  private String lastNotice = "";
  private long lastNoticeNanos;
  private volatile InetSocketAddress peer;
  private volatile InetSocketAddress listening;

  private Replica(Setup setup, ReplicaHost host, Epochs epochs, LogFile.Factory logs) {
    this.setup = setup;
    this.host = host;
    this.epochs = epochs;
    this.pair = new Pair(setup.pair());
    this.transport = new PairTransport(new Links(), setup.tls());
    this.thread = transport.loop();
    this.live = new LiveSide(this::post, transport, host, machineThread);
    this.following = new FollowingSide(this::post, transport, host, machineThread, logs);
    this.peer = setup.peer().orElse(null);
  }

  /**
   * Starts a virtual machine, which begins to run when its first epoch is won.
   *
   * @param machine ready to run its first step, with {@code relay} as its sink
   * @param newest the newest epoch on the storage
   * @throws IOException if nobody can listen at the address
   */
  public static Replica start(
      Setup setup,
      ReplicaHost host,
      Epochs epochs,
      LogFile.Factory logs,
      VirtualMachine machine,
      OutputRelay relay,
      MachineConfig.ClockMode clock,
      Epoch newest)
      throws IOException {
    Replica replica = new Replica(setup, host, epochs, logs);
    replica.live.adopt(machine, relay, clock);
    replica.listening = replica.transport.listen(setup.listen());
    replica.begin(replica.pair.start(newest, System.nanoTime()));
    return replica;
  }

  /**
   * Joins a primary as its secondary.
   *
   * @throws IOException if nobody can listen at the address (it is needed when this side becomes
   *     the primary)
   */
  public static Replica join(Setup setup, ReplicaHost host, Epochs epochs, LogFile.Factory logs)
      throws IOException {
    Replica replica = new Replica(setup, host, epochs, logs);
    replica.listening = replica.transport.listen(setup.listen());
    replica.begin(replica.pair.join(System.nanoTime()));
    return replica;
  }

  private void begin(Pair.Step first) {
    state = first.state();
    thread.execute(
        () -> {
          carryOut(first.effects());
          thread.scheduleWithFixedDelay(this::tick, TICK_NANOS, TICK_NANOS, TimeUnit.NANOSECONDS);
        });
  }

  /** Where this replica listens. */
  public InetSocketAddress listening() {
    return listening;
  }

  /** What it is doing. From any thread. */
  public ReplicaStatus status() {
    return new ReplicaStatus(
        StatusView.of(state),
        live.held(),
        live.heldBytes(),
        live.logBytes() + following.logBytes(),
        live.attachStopNanos());
  }

  /** Asks for an exchange of the roles. */
  public void switchOver() {
    post(new Event.SwitchOverAsked());
  }

  /** Goes on without the secondary. */
  public void detach() {
    post(new Event.DetachAsked());
  }

  /** Ends this replica, and with a primary the virtual machine. */
  @Override
  public void close() {
    post(new Event.Finished(Ending.OPERATOR, "The operator stopped the virtual machine."));
  }

  /**
   * Ends this replica as if its process had been killed: nobody is told, nothing is finished. When
   * the other side sees the connection break the devices are closed, as the kernel would have done.
   * Does nothing if it has ended.
   */
  public synchronized void abort() {
    if (ended) {
      return;
    }
    ended = true;
    live.end();
    following.end();
    if (!machineThread.awaitEnd(ABORT_WAIT_SECONDS)) {
      LOG.warn("The machine of a replica that is aborted does not stop");
    }
    transport.close();
  }

  // ---- Events ----

  private void post(Event event) {
    if (transport.isOnLoop()) {
      handle(event);
    } else {
      transport.later(() -> handle(event));
    }
  }

  private void tick() {
    handle(new Event.Tick());
    live.tick();
    following.tick();
    long now = System.nanoTime();
    if (now - polledAt > POLL_NANOS && !ended) {
      polledAt = now;
      epochs
          .newest()
          .thenAccept(
              newest ->
                  newest.ifPresent(
                      o -> post(new Event.EpochSeen(o.epoch(), o.replica(), o.kind()))));
    }
  }

  private void handle(Event event) {
    waiting.add(event);
    if (handling) {
      return;
    }
    handling = true;
    try {
      while (!waiting.isEmpty()) {
        Event next = waiting.remove();
        Role before = state.role();
        Pair.Step step = pair.step(state, System.nanoTime(), next);
        state = step.state();
        if (before.getClass() != state.role().getClass()) {
          LOG.info(
              "{} -> {} on {}",
              before.getClass().getSimpleName(),
              state.role().getClass().getSimpleName(),
              brief(next));
        }
        carryOut(step.effects());
      }
    } finally {
      handling = false;
    }
  }

  private static String brief(Event event) {
    return event instanceof Event.Received r
        ? r.message().getClass().getSimpleName()
        : event.toString();
  }

  // ---- Effects ----

  private void carryOut(List<Effect> effects) {
    for (Effect effect : effects) {
      if (!ended) {
        carryOut(effect);
      }
    }
  }

  private void carryOut(Effect effect) {
    switch (effect) {
      case Effect.Send e -> transport.send(e.conn(), e.message());
      case Effect.Close e -> transport.close(e.conn());
      case Effect.Connect e -> connect();
      case Effect.Claim e ->
          epochs
              .claim(e.epoch(), setup.pair().self(), e.kind())
              .thenAccept(result -> post(new Event.ClaimAnswered(e.epoch(), result)));
      case Effect.BeginCopy e -> live.beginCopy(e, setup.pair());
      case Effect.CopyRound e -> live.copyRound(e);
      case Effect.FinalStop e -> live.finalStop(e);
      case Effect.EndAttach e -> live.endAttach();
      case Effect.StreamLog e -> live.stream(e);
      case Effect.ForgetLog e -> live.forget(e.next());
      case Effect.BeginHold e -> live.beginHold();
      case Effect.Release e -> live.release(e.next());
      case Effect.Unprotect e -> live.unprotect(e.epoch());
      case Effect.Throttle e -> live.throttle(e.fraction());
      case Effect.Quiesce e -> live.quiesce();
      case Effect.Resume e -> live.resume();
      case Effect.Prepare e -> {
        rememberPeer(e.welcome().listen());
        following.prepare(e.welcome());
      }
      case Effect.ApplyPages e -> following.apply(e.pages());
      case Effect.Load e -> following.load(e.state());
      case Effect.Append e -> following.append(e.batch()).forEach(this::handle);
      case Effect.Trim e -> following.trim(e.releasedNext(), e.durableNext());
      case Effect.ReplayToEnd e -> following.replayToEnd();
      case Effect.GoLive e -> following.goLive(e, live);
      case Effect.Follow e -> following.follow(e, live);
      case Effect.End e -> end(e);
      case Effect.Notice e -> tell(e.text());
    }
  }

  /** What is tried again many times a second is told of now and then. */
  private void tell(String text) {
    long now = System.nanoTime();
    if (!text.equals(lastNotice) || now - lastNoticeNanos > SAME_NOTICE_NANOS) {
      lastNotice = text;
      lastNoticeNanos = now;
      host.notice(text);
    }
  }

  private void connect() {
    try {
      transport.connect(peer);
    } catch (IOException e) {
      host.notice(e.getMessage());
      post(new Event.ConnectFailed(false));
    }
  }

  /** Where to call the other side if the link breaks; it may have no such address to give. */
  private void rememberPeer(String address) {
    if (address.isEmpty()) {
      return;
    }
    try {
      int colon = address.lastIndexOf(':');
      InetSocketAddress there =
          new InetSocketAddress(
              address.substring(0, Math.max(0, colon)),
              Integer.parseInt(address.substring(colon + 1)));
      if (colon > 0 && !there.isUnresolved() && !there.getAddress().isAnyLocalAddress()) {
        peer = there;
      }
    } catch (IllegalArgumentException e) {
      LOG.warn(
          "The other side says that it listens at '{}', which is no address",
          address.replaceAll("[^ -~]", "?"));
    }
  }

  private void end(Effect.End e) {
    ended = true;
    live.end();
    following.end();
    Thread.ofPlatform()
        .name("replica-end")
        .start(
            () -> {
              transport.close();
              host.ended(e.ending(), e.why());
            });
  }

  private final class Links implements LinkListener {
    private final Map<Long, String> callers = new HashMap<>();
    private String distrust = "";

    @Override
    public void connected(long conn) {
      handle(new Event.Connected(conn));
    }

    @Override
    public void connectFailed(boolean refused) {
      handle(new Event.ConnectFailed(refused));
    }

    @Override
    public void untrusted(String sentence) {
      // A secondary tries again and again; the operator need not read it each time.
      if (!sentence.equals(distrust)) {
        distrust = sentence;
        host.notice(sentence);
      }
    }

    @Override
    public void received(long conn, Message message) {
      if (message instanceof Message.Hello hello) {
        if (state.role() instanceof Role.Secondary && !(state.role() instanceof Role.GoingLive)) {
          transport.send(
              conn, new Message.Refused("This replica is a secondary itself: join the primary."));
          transport.close(conn);
          return;
        }
        callers.put(conn, hello.listen());
      } else if (message instanceof Message.Attached && callers.containsKey(conn)) {
        // Known to be our secondary now: where it will listen when the roles are exchanged.
        rememberPeer(callers.get(conn));
      }
      handle(new Event.Received(conn, message));
    }

    @Override
    public void down(long conn) {
      callers.remove(conn);
      handle(new Event.LinkDown(conn));
    }
  }
}
