package io.lockstep.ft.sim;

import io.lockstep.ft.pair.AttachCopier;
import io.lockstep.ft.pair.OutputQueue;
import io.lockstep.ft.pair.UnstableWrites;
import io.lockstep.ft.protocol.ClaimResult;
import io.lockstep.ft.protocol.Effect;
import io.lockstep.ft.protocol.Event;
import io.lockstep.ft.protocol.Message;
import io.lockstep.ft.protocol.Pair;
import io.lockstep.ft.protocol.PairConfig;
import io.lockstep.ft.protocol.PairState;
import io.lockstep.ft.protocol.ReplicaId;
import io.lockstep.ft.protocol.Role;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * A process with a replica: the real protocol, and a stand-in for everything that carries out its
 * effects.
 */
final class SimReplica {
  private static final long SLICE = 500 * World.US;
  private static final long REPLAY_SLICE = 400 * World.US;
  private static final long READING = 4 * World.MS;
  private static final long DIGEST = 30 * World.MS;
  private static final long POLL = 40 * World.MS;
  private static final long BARRIER = 50 * World.MS;
  private static final int REPLAY_STEPS = 60;
  private static final long TICK_NANOS = 100;
  private static final long SLOPE = 700L << 32;
  private static final int NO_EMISSION = -1;

  private final World world;
  private final PairSimulation sim;
  private final int host;
  private final ReplicaId id;
  private final Pair pair;
  private PairState state;
  private boolean alive = true;
  private long pausedUntil;
  private long lastPost;
  private final ArrayDeque<Event> own = new ArrayDeque<>();
  private boolean handling;

  // The machine, whoever drives it.
  private ToyMachine machine;
  private final Map<Long, Integer> history = new HashMap<>();
  private final IdentityHashMap<Output, Long> emission = new IdentityHashMap<>();
  private long historyBase;
  private boolean reissuing;
  private boolean corrupted;
  private boolean corruptionShown;

  // Live.
  private boolean running;
  private boolean quiesced;
  private boolean holding;
  private boolean logging;
  private long ioEpoch;
  private double throttle;
  private long clockOrigin;
  private long clockTicks;
  private long nextReading;
  private long nextDigest;
  private boolean uncommitted;
  private AttachCopier copier;
  private final ArrayDeque<Input> inbox = new ArrayDeque<>();
  private OutputQueue held = new OutputQueue();
  private List<LogEntry> log = new ArrayList<>();
  private long logBase;
  private long sentMost;

  // Following.
  private boolean replaying;
  private List<LogEntry> stored = new ArrayList<>();
  private long storedBase;
  private long attachId;
  private int replayAt;
  private int replaySteps = REPLAY_STEPS;
  private UnstableWrites unstable = new UnstableWrites();
  private OutputQueue unreleased = new OutputQueue();

  SimReplica(World world, PairSimulation sim, int host, ReplicaId id, boolean starts) {
    this.world = world;
    this.sim = sim;
    this.host = host;
    this.id = id;
    this.pair =
        new Pair(new PairConfig("sim", starts ? "toy=1" : "", id, "", PairSimulation.TIMING));
    this.clockOrigin = world.now() - world.delay(0, 1000 * World.MS);
    if (starts) {
      machine = newMachine();
    }
    Pair.Step first =
        starts ? pair.start(sim.storage.newest(), world.now()) : pair.join(world.now());
    state = first.state();
    world.after(World.US, () -> carryOut(first.effects()));
    every(PairSimulation.TICK, () -> deliver(new Event.Tick()));
    every(POLL, () -> sim.storage.poll(this));
    every(SLICE, this::slice);
    every(REPLAY_SLICE, this::replaySlice);
    every(BARRIER, this::barrier);
  }

  int host() {
    return host;
  }

  ReplicaId id() {
    return id;
  }

  Role role() {
    return state.role();
  }

  boolean isAlive() {
    return alive;
  }

  boolean isPaused() {
    return world.now() < pausedUntil;
  }

  Lineage lineage() {
    return sim.lineage;
  }

  // ---- Faults ----

  void pause(long until) {
    pausedUntil = until;
  }

  void kill(boolean wholeHost) {
    alive = false;
    sim.links.gone(this, wholeHost);
  }

  boolean isCorrupted() {
    return corrupted;
  }

  void diedAsOwner() {
    sim.lose();
  }

  void replaySpeed(int steps) {
    replaySteps = steps == 0 ? REPLAY_STEPS : steps;
  }

  void corrupt() {
    if (!corrupted) {
      corrupted = true;
      machine.corrupt();
    }
  }

  // ---- Events ----

  private void every(long period, Runnable what) {
    world.after(
        period + world.random.nextInt((int) (period / 4)),
        () -> {
          if (alive) {
            if (isPaused()) {
              world.at(pausedUntil, () -> every(period, what));
              return;
            }
            what.run();
            every(period, what);
          }
        });
  }

  /**
   * Hands an event of this process's own to the protocol, a little later; own events keep their
   * order.
   */
  void post(long delay, Event event) {
    lastPost = Math.max(lastPost, world.now() + delay);
    world.at(delay > World.MS ? world.now() + delay : lastPost, () -> deliver(event));
  }

  /**
   * Something that this process does a little later: not while it is paused, and not when it is
   * dead.
   */
  private void later(long delay, Runnable what) {
    world.after(delay, () -> now(what));
  }

  private void now(Runnable what) {
    if (alive && isPaused()) {
      world.at(pausedUntil, () -> now(what));
    } else if (alive) {
      what.run();
    }
  }

  private void hop(Event event) {
    post(world.delay(5 * World.US, 200 * World.US), event);
  }

  void deliver(Event event) {
    if (!alive) {
      return;
    }
    if (isPaused()) {
      world.at(pausedUntil, () -> deliver(event));
      return;
    }
    own.add(event);
    if (handling) {
      return;
    }
    handling = true;
    while (!own.isEmpty() && alive) {
      Event next = own.poll();
      Role before = state.role();
      Pair.Step step = pair.step(state, world.now(), next);
      state = step.state();
      if (before.getClass() != state.role().getClass()) {
        world.trace(
            "host %d %s: %s -> %s on %s", host, shortId(), name(before), name(state.role()), next);
      }
      sim.saw(before, state.role());
      carryOut(step.effects());
    }
    handling = false;
  }

  private static String name(Object o) {
    return o.getClass().getSimpleName();
  }

  private String shortId() {
    return "r" + (id.value().getLeastSignificantBits() & 0xff);
  }

  private void carryOut(List<Effect> effects) {
    for (Effect effect : effects) {
      if (alive) {
        carryOut(effect);
      }
    }
  }

  private void carryOut(Effect effect) {
    switch (effect) {
      case Effect.Send e -> sim.links.send(e.conn(), this, e.message());
      case Effect.Close e -> sim.links.close(e.conn(), this);
      case Effect.Connect e -> sim.links.connect(this);
      case Effect.Claim e -> claim(e);
      case Effect.BeginCopy e -> beginCopy(e);
      case Effect.CopyRound e -> vcpu(() -> copyRound(e.attachId(), e.round(), copier.nextRound()));
      case Effect.FinalStop e -> vcpu(() -> finalStop(e.attachId()));
      case Effect.EndAttach e -> {
        copier = null;
        logging = false;
      }
      case Effect.StreamLog e -> streamLog(e);
      case Effect.ForgetLog e -> {}
      case Effect.BeginHold e -> beginHold();
      case Effect.Release e -> {
        sim.checkCommitted(attachId, e.next());
        held.takeTo(e.next()).forEach(this::release);
      }
      case Effect.Unprotect e -> unprotect(e.epoch().number());
      case Effect.Throttle e -> throttle = e.fraction();
      case Effect.Quiesce e -> quiesce();
      case Effect.Resume e -> {
        quiesced = false;
        running = true;
      }
      case Effect.Prepare e -> machine = newMachine();
      case Effect.ApplyPages e -> AttachCopier.apply(machine.ram(), e.pages().bytes());
      case Effect.Load e -> load(e.state());
      case Effect.Append e -> append(e.batch());
      case Effect.Trim e -> {
        unreleased.takeTo(e.releasedNext());
        unstable.stableTo(e.durableNext());
      }
      case Effect.ReplayToEnd e -> {
        if (world.has(Flaw.LOG_NOT_DRAINED)) {
          hop(new Event.Replayed(attachId, e.next()));
        }
      }
      case Effect.GoLive e -> goLive(e);
      case Effect.Follow e -> follow(e);
      case Effect.End e -> {
        world.trace("host %d %s ends: %s %s", host, shortId(), e.ending(), e.why());
        alive = false;
        sim.links.gone(this, false);
      }
      case Effect.Notice e -> world.trace("host %d %s: %s", host, shortId(), e.text());
    }
  }

  private void claim(Effect.Claim e) {
    boolean pretends =
        world.has(Flaw.TAKEOVER_WITHOUT_CLAIM) && state.role() instanceof Role.ClaimingTakeover
            || world.has(Flaw.ALONE_WITHOUT_CLAIM) && state.role() instanceof Role.ClaimingAlone;
    if (pretends) {
      hop(new Event.ClaimAnswered(e.epoch(), new ClaimResult.Won()));
    } else {
      sim.storage.claim(this, e.epoch(), e.kind());
    }
  }

  // ---- Live ----

  private ToyMachine newMachine() {
    return world.has(Flaw.CLOCK_BACKWARDS)
        ? new BackwardsMachine(this::emitted)
        : new ToyMachine(this::emitted);
  }

  private static final class BackwardsMachine extends ToyMachine {
    private long shown;

    BackwardsMachine(io.lockstep.vm.port.OutputSink sink) {
      super(sink);
    }

    @Override
    protected void setClock(Input.ClockReading r) {
      shown = r.ticks();
      super.setClock(r);
    }

    @Override
    public long ticks() {
      return shown;
    }
  }

  private void emitted(Output output) {
    Output known = reissuing ? output : remember(output);
    if (replaying) {
      unreleased.add(known);
      if (output instanceof Output.BlockRequest request) {
        unstable.emitted(request);
      }
    } else {
      out(known);
    }
  }

  private void reissue() {
    reissuing = true;
    machine.reissueOutstanding();
    reissuing = false;
  }

  private Output remember(Output output) {
    emission.put(output, machine.outputs());
    history.put(machine.outputs(), Arrays.hashCode(content(output)));
    return output;
  }

  private static byte[] content(Output output) {
    return switch (output) {
      case Output.ConsoleBytes o -> o.data();
      case Output.PacketSent o -> o.frame();
      case Output.BlockRequest o ->
          o.op() == Output.BlockOp.WRITE ? o.data() : new byte[] {(byte) o.op().ordinal()};
      case Output.EntropyRequest o -> new byte[0];
    };
  }

  private void out(Output output) {
    uncommitted = true;
    if (holding && !world.has(Flaw.OUTPUT_BEFORE_ACK)) {
      held.add(output);
    } else {
      release(output);
    }
  }

  private void commit() {
    if (uncommitted) {
      uncommitted = false;
      held.mark(log(new LogEntry.OutputMark(machine.steps(), machine.outputs())));
    }
  }

  private long log(LogEntry entry) {
    if (!logging) {
      return 0;
    }
    log.add(entry);
    hop(new Event.LogGrew(logEnd()));
    return logEnd() - 1;
  }

  private long logEnd() {
    return logBase + log.size();
  }

  private void slice() {
    if (!running || quiesced || world.random.nextDouble() < throttle) {
      return;
    }
    for (int part = 0; part < 2; part++) {
      while (!inbox.isEmpty()) {
        Input input = inbox.poll();
        log(new LogEntry.InputEntry(machine.steps(), input));
        machine.apply(input);
        commit();
      }
      if (world.now() >= nextReading) {
        nextReading = world.now() + READING;
        long ticks = clockTicks + (world.now() - clockOrigin) / TICK_NANOS;
        Input reading = new Input.ClockReading(ticks, SLOPE, ticks + 2 * READING / TICK_NANOS);
        log(new LogEntry.InputEntry(machine.steps(), reading));
        machine.apply(reading);
      }
      machine.run(machine.steps() + 1 + world.random.nextInt(6));
      commit();
    }
    if (logging && world.now() >= nextDigest) {
      nextDigest = world.now() + DIGEST;
      log(new LogEntry.Digest(machine.steps(), machine.digest()));
    }
  }

  void packet(byte[] frame) {
    if (alive && running && !replaying) {
      inbox.add(new Input.PacketArrival(ToyMachine.NET, frame));
    }
  }

  private void release(Output output) {
    long number = emission.getOrDefault(output, (long) NO_EMISSION);
    long epoch = ioEpoch;
    switch (output) {
      case Output.PacketSent o ->
          world.after(
              world.delay(30 * World.US, world.chance(0.02) ? 40 * World.MS : 2 * World.MS),
              () -> sim.network.fromReplica(epoch, number, o.frame(), this));
      case Output.BlockRequest o -> submit(o, number, epoch);
      case Output.ConsoleBytes o -> {}
      case Output.EntropyRequest o -> {}
    }
  }

  private void submit(Output.BlockRequest o, long number, long epoch) {
    long effect = world.delay(100 * World.US, 12 * World.MS);
    long answer =
        world.has(Flaw.COMPLETION_BEFORE_WRITE)
            ? effect / 3
            : effect + world.delay(20 * World.US, World.MS);
    if (o.op() != Output.BlockOp.READ) {
      world.after(
          effect,
          () -> {
            if (alive || !sim.isHostDown(host) && world.chance(0.6)) {
              sim.diskEffect(epoch, number, o);
            }
          });
    }
    world.after(
        answer,
        () -> {
          byte[] data =
              o.op() == Output.BlockOp.READ ? sim.disk.read(epoch, o.sector()) : new byte[0];
          complete(
              new Input.BlockCompletion(o.device(), o.requestId(), Input.BlockStatus.OK, data));
        });
  }

  private void complete(Input input) {
    now(
        () -> {
          if (running) {
            inbox.add(input);
          }
        });
  }

  private void barrier() {
    if (running && logging) {
      barrier(logEnd());
    }
  }

  private void barrier(long next) {
    long epoch = ioEpoch;
    int mark = sim.disk.mark(epoch);
    later(
        world.delay(500 * World.US, 15 * World.MS),
        () -> {
          sim.disk.flushed(epoch, mark);
          hop(new Event.DiskDurable(next));
        });
  }

  // ---- Attach, primary's side ----

  private void vcpu(Runnable what) {
    later(
        world.delay(10 * World.US, SLICE),
        () -> {
          if (copier != null) {
            what.run();
          }
        });
  }

  private void beginCopy(Effect.BeginCopy e) {
    attachId = e.attachId();
    copyConn = e.conn();
    copier = new AttachCopier(machine);
    sim.links.send(
        e.conn(),
        this,
        new Message.Welcome("sim", id, e.epoch(), e.attachId(), false, "", new byte[0]));
    vcpu(() -> copyRound(e.attachId(), 0, copier.firstRound()));
  }

  private long copyConn;

  private void copyRound(long attach, int round, int[] pages) {
    // The guest runs on between the moment at which the round begins and the one at which its last
    // page is read.
    later(
        world.delay(World.MS, 8 * World.MS),
        () -> {
          if (copier != null && attach == attachId) {
            sendPages(attach, pages);
            hop(new Event.RoundCopied(attach, round, copier.dirtyCount()));
          }
        });
  }

  private void sendPages(long attach, int[] pages) {
    for (int from = 0; from < pages.length; from += 8) {
      byte[] bytes =
          AttachCopier.encode(machine.ram(), pages, from, Math.min(pages.length, from + 8));
      sim.links.send(copyConn, this, new Message.Pages(attach, bytes));
    }
  }

  private void finalStop(long attach) {
    int[] pages = copier.nextRound();
    sendPages(
        attach,
        world.has(Flaw.DIRTY_PAGE_MISSED) && pages.length > 1
            ? Arrays.copyOfRange(pages, 1, pages.length)
            : pages);
    // Beyond the last log: a barrier that was asked for under that one says nothing about this one.
    logBase = logEnd() + 1;
    log = new ArrayList<>();
    sentMost = logBase;
    logging = true;
    held = new OutputQueue();
    StateWriter saved = new StateWriter();
    machine.saveState(saved);
    sim.links.send(
        copyConn,
        this,
        new Message.Final(attach, logBase, machine.steps(), machine.digest(), saved.toByteArray()));
    hop(new Event.FinalDone(attach, logBase));
    barrier(logBase);
  }

  private void beginHold() {
    if (world.has(Flaw.HOLD_BEGINS_LATE)) {
      hop(new Event.Holding(logEnd()));
      later(15 * World.MS, () -> holding = logging);
      return;
    }
    vcpu(
        () -> {
          holding = true;
          hop(new Event.Holding(logEnd()));
        });
  }

  private void streamLog(Effect.StreamLog e) {
    List<LogEntry> part =
        new ArrayList<>(log.subList((int) (e.from() - logBase), (int) (e.to() - logBase)));
    if (world.has(Flaw.GAP_AFTER_RESUME) && e.from() < sentMost) {
      part.replaceAll(entry -> new LogEntry.Flush(entry.point()));
    }
    sentMost = Math.max(sentMost, e.to());
    byte[] bytes = sim.entries.put(part);
    sim.links.send(
        e.conn(),
        this,
        new Message.LogBatch(e.attachId(), e.from(), part.size(), e.releasedNext(), bytes));
  }

  private void unprotect(long epoch) {
    if (ioEpoch == 0) {
      ioEpoch = epoch;
      sim.disk.open(epoch, host);
      sim.network.claim(epoch, this);
    }
    holding = false;
    held.takeAll().forEach(this::release);
  }

  private void quiesce() {
    quiesced = true;
    // The secondary must stand at the same step, not only behind the same entry.
    log(new LogEntry.Flush(machine.steps()));
    long epoch = ioEpoch;
    int mark = sim.disk.mark(epoch);
    later(
        world.delay(500 * World.US, 10 * World.MS),
        () -> {
          sim.disk.flushed(epoch, mark);
          hop(new Event.Quiesced(logEnd()));
        });
  }

  // ---- Following ----

  private void load(Message.Final state) {
    attachId = state.attachId();
    storedBase = state.startLsn();
    stored = new ArrayList<>();
    replayAt = 0;
    later(
        world.delay(World.MS, 10 * World.MS),
        () -> {
          machine.restoreState(new StateReader(state.state()));
          boolean same = machine.digest() == state.digest() || world.has(Flaw.DIRTY_PAGE_MISSED);
          beginReplay();
          historyBase = machine.outputs() + 1;
          hop(
              new Event.StateLoaded(
                  attachId, same ? "" : "The memory that arrived is not the primary's."));
          if (world.has(Flaw.ELIGIBLE_TOO_EARLY)) {
            hop(new Event.Received(connOf(role()), new Message.Protect(attachId, storedBase)));
          }
        });
  }

  private static long connOf(Role role) {
    return role instanceof Role.Following f ? f.conn() : 0;
  }

  private void beginReplay() {
    replaying = true;
    unstable = new UnstableWrites();
    unreleased = new OutputQueue();
    // Requests in flight belong to the state, so their completions will be in the log.
    reissue();
    unreleased = new OutputQueue();
  }

  private void append(Message.LogBatch batch) {
    List<LogEntry> entries = sim.entries.get(batch.entries());
    if (world.has(Flaw.ACK_BEFORE_APPEND)) {
      later(
          3 * World.MS,
          () -> {
            stored.addAll(entries);
            sim.stored(storedBase + stored.size(), attachId);
          });
      deliver(new Event.Stored(batch.attachId(), batch.next(), storedBase + replayAt));
      return;
    }
    stored.addAll(entries);
    sim.stored(storedBase + stored.size(), batch.attachId());
    deliver(new Event.Stored(batch.attachId(), batch.next(), storedBase + replayAt));
  }

  private void replaySlice() {
    if (!replaying || machine == null) {
      return;
    }
    long budget = state.role() instanceof Role.GoingLive ? REPLAY_STEPS * 20 : replaySteps;
    int before = replayAt;
    while (replayAt < stored.size() && budget > 0) {
      LogEntry entry = stored.get(replayAt);
      boolean skipsMark = world.has(Flaw.MARK_NOT_REACHED) && entry instanceof LogEntry.OutputMark;
      long to = skipsMark ? machine.steps() : Math.min(entry.point(), machine.steps() + budget);
      budget -= to - machine.steps() + 1;
      machine.run(to);
      if (to == entry.point() || skipsMark) {
        replay(entry, storedBase + replayAt);
        replayAt++;
      }
    }
    if (replayAt != before) {
      hop(new Event.Replayed(attachId, storedBase + replayAt));
    }
  }

  private void replay(LogEntry entry, long lsn) {
    switch (entry) {
      case LogEntry.InputEntry e -> {
        if (e.input() instanceof Input.BlockCompletion c) {
          unstable.completed(c, lsn);
        }
        machine.apply(e.input());
      }
      case LogEntry.OutputMark e -> unreleased.mark(lsn);
      case LogEntry.Digest e -> {
        corruptionShown |= corrupted;
        boolean ignores = world.has(Flaw.DIVERGENCE_IGNORED) || world.has(Flaw.DIRTY_PAGE_MISSED);
        if (machine.digest() != e.digest() && !ignores) {
          hop(new Event.Diverged("digests differ at step " + e.point()));
        }
      }
      case LogEntry.EpochChange e -> {}
      case LogEntry.Flush e -> {}
      case LogEntry.SnapshotMark e -> {}
      case LogEntry.End e -> {}
    }
  }

  // ---- Going live, and back ----

  private void goLive(Effect.GoLive e) {
    long work = world.has(Flaw.LOG_NOT_DRAINED) ? 0 : world.delay(300 * World.US, 6 * World.MS);
    later(work, () -> live(e));
  }

  private void live(Effect.GoLive e) {
    if (sim.disk.isOutdated(e.epoch().number())) {
      deliver(new Event.GoLiveFailed("a newer epoch has opened the disk"));
      return;
    }
    if (corruptionShown) {
      throw new Violation("a replica goes live after a digest had shown that it diverged");
    }
    if (corrupted) {
      // Before the next digest nobody can know.
      sim.lose();
      return;
    }
    sim.lineage.goesLive(historyBase, history, machine.outputs());
    ioEpoch = e.epoch().number();
    sim.disk.open(ioEpoch, host);
    if (e.attachId() != 0) {
      // The old primary has made all of it stable. To write it again would put it at risk: of two
      // writes to a sector a crash might keep the first.
      unstable.stableTo(e.logNext());
    }
    if (!world.has(Flaw.UNSTABLE_NOT_REWRITTEN)) {
      unstable.toRewrite().forEach(w -> sim.disk.write(ioEpoch, w.sector(), w.data()));
    }
    sim.network.claim(ioEpoch, this);
    replaying = false;
    logging = e.attachId() != 0;
    holding = logging;
    attachId = e.attachId();
    log = new ArrayList<>();
    logBase = e.logNext();
    sentMost = logBase;
    held = new OutputQueue();
    inbox.clear();
    clockTicks = world.has(Flaw.CLOCK_BACKWARDS) ? 0 : machine.ticks();
    clockOrigin = world.has(Flaw.CLOCK_BACKWARDS) ? clockOrigin : world.now();
    nextReading = 0;
    running = true;
    quiesced = false;
    log(new LogEntry.EpochChange(machine.steps(), ioEpoch));
    unreleased.takeAll().stream().filter(o -> o instanceof Output.PacketSent).forEach(this::out);
    if (!world.has(Flaw.IN_FLIGHT_NOT_REISSUED)) {
      reissue();
    }
    uncommitted = true;
    commit();
    hop(new Event.WentLive());
  }

  private void follow(Effect.Follow e) {
    running = false;
    logging = false;
    holding = false;
    held = new OutputQueue();
    attachId = e.attachId();
    storedBase = e.logNext();
    stored = new ArrayList<>();
    replayAt = 0;
    beginReplay();
  }
}
