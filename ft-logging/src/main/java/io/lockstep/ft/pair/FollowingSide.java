package io.lockstep.ft.pair;

import io.lockstep.ft.protocol.Effect;
import io.lockstep.ft.protocol.Ending;
import io.lockstep.ft.protocol.Event;
import io.lockstep.ft.protocol.Message;
import io.lockstep.ft.transport.PairTransport;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.snapshot.StateFormatException;
import io.lockstep.vm.snapshot.StateReader;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The secondary's half of a replica. Methods belong to the protocol's thread. */
final class FollowingSide {
  private static final Logger LOG = LoggerFactory.getLogger(FollowingSide.class);

  private final Consumer<Event> events;
  private final PairTransport transport;
  private final ReplicaHost host;
  private final MachineThread thread;
  private final LogFile.Factory logs;
  private final AtomicBoolean replayedPosted = new AtomicBoolean();
  private VirtualMachine machine;
  private OutputRelay relay;
  private MachineConfig.ClockMode clockMode;
  private String trouble = "";
  private CompletableFuture<LogFile> file;
  private volatile LogFollower follower;
  private volatile long replayedNext;

  /** Whether somebody waits for the end of the replay. */
  private volatile boolean replayAwaited;

  private long replayedTold;
  private boolean storedSinceTick;
  private long attachId;

  FollowingSide(
      Consumer<Event> events,
      PairTransport transport,
      ReplicaHost host,
      MachineThread thread,
      LogFile.Factory logs) {
    this.events = events;
    this.transport = transport;
    this.host = host;
    this.thread = thread;
    this.logs = logs;
  }

  // ---- Attach ----

  void prepare(Message.Welcome welcome) {
    attachId = welcome.attachId();
    relay = new OutputRelay();
    // Opening a log can take a second, and memory is being copied for longer than that.
    file = openLog(attachId);
    try {
      ReplicaHost.NewMachine made = host.makeMachine(welcome.machine(), relay);
      machine = made.machine();
      clockMode = made.clock();
    } catch (IOException e) {
      trouble = e.getMessage();
      events.accept(new Event.StateLoaded(attachId, trouble));
    }
  }

  void apply(Message.Pages pages) {
    if (!trouble.isEmpty()) {
      return;
    }
    String wrong = AttachCopier.apply(machine.ram(), pages.bytes());
    // At once, because the primary runs on while the digest of all memory is compared at the end.
    machine.digestPart(AttachCopier.BATCH_PAGES);
    if (!wrong.isEmpty()) {
      trouble = "The memory that arrived is damaged: " + wrong + ".";
      events.accept(new Event.StateLoaded(attachId, trouble));
    }
  }

  void load(Message.Final state) {
    if (!trouble.isEmpty()) {
      return;
    }
    try {
      follower = newFollower(state.startLsn(), file.join());
    } catch (CompletionException e) {
      trouble = "The secondary cannot store a log: " + e.getCause().getMessage();
      events.accept(new Event.StateLoaded(attachId, trouble));
      return;
    }
    thread.execute(() -> loadAndFollow(state, follower));
  }

  private void loadAndFollow(Message.Final state, LogFollower log) {
    try {
      machine.restoreState(new StateReader(state.state()));
    } catch (StateFormatException e) {
      events.accept(
          new Event.StateLoaded(
              attachId, "The machine's state cannot be loaded: " + e.getMessage()));
      return;
    }
    if (machine.steps() != state.point() || machine.digest() != state.digest()) {
      events.accept(
          new Event.StateLoaded(
              attachId, "The machine that arrived is not the primary's: their digests differ."));
      return;
    }
    log.begin();
    events.accept(new Event.StateLoaded(attachId, ""));
    log.run();
  }

  private CompletableFuture<LogFile> openLog(long id) {
    return CompletableFuture.supplyAsync(
        () -> {
          try {
            return logs.create(id);
          } catch (IOException e) {
            throw new CompletionException(e);
          }
        });
  }

  private LogFollower newFollower(long startLsn, LogFile file) {
    replayedNext = startLsn;
    replayedTold = startLsn;
    replayAwaited = false;
    long id = attachId;
    return new LogFollower(
        machine,
        relay,
        startLsn,
        file,
        new LogFollower.Observer(
            next -> noteReplayed(id, next),
            why -> events.accept(new Event.Diverged(why)),
            this::logEnded));
  }

  /**
   * On the vCPU thread. To wake the protocol's thread costs a guest that computes more than to
   * replay an entry; what has been replayed is told with what is stored, or with the next tick.
   */
  private void noteReplayed(long id, long next) {
    replayedNext = next;
    if (replayAwaited && replayedPosted.compareAndSet(false, true)) {
      transport.later(
          () -> {
            replayedPosted.set(false);
            tellReplayed(id);
          });
    }
  }

  private void tellReplayed(long id) {
    replayedTold = replayedNext;
    events.accept(new Event.Replayed(id, replayedTold));
  }

  void tick() {
    if (!storedSinceTick && follower != null && replayedNext != replayedTold) {
      tellReplayed(attachId);
    }
    storedSinceTick = false;
  }

  void replayToEnd() {
    replayAwaited = true;
    tellReplayed(attachId);
  }

  private void logEnded(LogEntry.EndReason reason) {
    if (reason == LogEntry.EndReason.GUEST_HALTED) {
      events.accept(new Event.Finished(Ending.GUEST_HALTED, "The guest has stopped."));
    }
  }

  // ---- Following ----

  /** Stores a part of the log, and says what came of it. */
  List<Event> append(Message.LogBatch batch) {
    try {
      long stored = follower.append(batch);
      storedSinceTick = true;
      replayedTold = replayedNext;
      return List.of(new Event.Stored(batch.attachId(), stored, replayedTold));
    } catch (IOException e) {
      return List.of(new Event.StoreFailed(e.getMessage()));
    } catch (LogFollower.DamagedLog e) {
      return List.of(new Event.Diverged(e.getMessage()));
    }
  }

  void trim(long releasedNext, long durableNext) {
    if (follower != null) {
      follower.trim(releasedNext, durableNext);
    }
  }

  // ---- Going live, and back ----

  void goLive(Effect.GoLive e, LiveSide live) {
    LogFollower log = follower;
    log.stop(false);
    if (e.attachId() != 0) {
      // The old primary has made all of it stable, and to write it again would put that at risk.
      log.trim(0, e.logNext());
    }
    live.adopt(machine, relay, clockMode);
    thread.execute(
        () -> {
          live.run(
              e.epoch(),
              e.attachId(),
              e.logNext(),
              log.ticksNow(),
              log.unreleased().stream().filter(FollowingSide::mayBeRepeated).toList(),
              log.unstable(),
              wrong ->
                  events.accept(
                      wrong.isEmpty() ? new Event.WentLive() : new Event.GoLiveFailed(wrong)));
        });
    close(log);
    follower = null;
  }

  /**
   * Requests are repeated by the machine itself; a packet or a text that the world has already does
   * no harm.
   */
  private static boolean mayBeRepeated(Output output) {
    return switch (output) {
      case Output.PacketSent o -> true;
      case Output.ConsoleBytes o -> true;
      case Output.BlockRequest o -> false;
      case Output.EntropyRequest o -> false;
    };
  }

  void follow(Effect.Follow e, LiveSide live) {
    machine = live.machine();
    relay = live.relay();
    clockMode = live.clockMode();
    attachId = e.attachId();
    live.retire();
    try {
      LogFollower log = newFollower(e.logNext(), openLog(attachId).join());
      follower = log;
      thread.execute(
          () -> {
            log.begin();
            log.run();
          });
    } catch (CompletionException ex) {
      events.accept(new Event.StoreFailed(ex.getCause().getMessage()));
    }
  }

  void end() {
    if (follower != null) {
      follower.stop(true);
      close(follower);
    }
  }

  private static void close(LogFollower log) {
    Thread.ofVirtual()
        .start(
            () -> {
              try {
                log.close();
              } catch (IOException e) {
                LOG.warn("The log's file cannot be closed: {}", e.getMessage());
              }
            });
  }

  long logBytes() {
    LogFollower now = follower;
    return now == null ? 0 : now.bytes();
  }
}
