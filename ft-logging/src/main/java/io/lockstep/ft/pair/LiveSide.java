package io.lockstep.ft.pair;

import io.lockstep.ft.protocol.Effect;
import io.lockstep.ft.protocol.Ending;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.Event;
import io.lockstep.ft.protocol.Message;
import io.lockstep.ft.protocol.PairConfig;
import io.lockstep.ft.transport.PairTransport;
import io.lockstep.replay.live.HostClock;
import io.lockstep.replay.live.InputJournal;
import io.lockstep.replay.live.OutputGate;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.replay.live.VcpuEnd;
import io.lockstep.replay.live.VcpuLoop;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.snapshot.StateWriter;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The primary's half of a replica: the live machine, its devices, its log. Methods belong to the
 * protocol's thread unless they say otherwise.
 */
final class LiveSide {
  private static final Logger LOG = LoggerFactory.getLogger(LiveSide.class);
  private static final long HELD_BYTES_MAX = 16L << 20;
  private static final long LOG_BYTES_MAX = 64L << 20;
  private static final long STABLE_EVERY_NANOS = 500_000_000;
  private static final long START_WAIT_MILLIS = 2;

  private final Consumer<Event> events;
  private final PairTransport transport;
  private final ReplicaHost host;
  private final MachineThread thread;
  private final AtomicBoolean grewTold = new AtomicBoolean();
  private volatile boolean grewQuietly;
  private VirtualMachine machine;
  private OutputRelay relay;
  private MachineConfig.ClockMode clockMode;
  private volatile VcpuLoop vcpu;
  private volatile LiveDevices devices;
  private volatile HoldingGate gate;
  private volatile SentLog log;
  private AttachSender sender;
  private volatile boolean halted;
  private volatile String haltedWhy = "";
  private boolean finished;
  private boolean stabilizing;
  private long stableAt;
  private volatile long lastLsn;
  private volatile long attachStopNanos;

  LiveSide(
      Consumer<Event> events, PairTransport transport, ReplicaHost host, MachineThread thread) {
    this.events = events;
    this.transport = transport;
    this.host = host;
    this.thread = thread;
  }

  /** Takes a machine that will run live. */
  void adopt(VirtualMachine newMachine, OutputRelay newRelay, MachineConfig.ClockMode clock) {
    machine = newMachine;
    relay = newRelay;
    clockMode = clock;
  }

  // ---- Running ----

  /**
   * Opens the devices and runs the machine. On the machine's thread; returns when the machine has
   * stopped or the devices could not be opened.
   *
   * @param attachId 0, or the attach under which a secondary follows from the start
   * @param started told before the first step, or with what went wrong
   */
  void run(
      Epoch epoch,
      long attachId,
      long logNext,
      long ticks,
      List<Output> unreleased,
      List<Output.BlockRequest> rewrite,
      Consumer<String> started) {
    long begin = System.nanoTime();
    try {
      devices = host.openDevices(epoch, this::offer, rewrite);
    } catch (IOException e) {
      started.accept(e.getMessage());
      return;
    }
    InputJournal journal = InputJournal.NONE;
    OutputGate out = OutputGate.passingTo(devices.outputs());
    if (attachId != 0) {
      newLog(logNext, attachId);
      gate.hold();
      journal = log;
      out = gate;
      log.append(new LogEntry.EpochChange(machine.steps(), epoch.number()));
    }
    vcpu =
        new VcpuLoop(
            machine,
            relay,
            clockMode,
            HostClock.startingAt(ticks),
            journal,
            out,
            VcpuLoop.Pace.DEFAULT);
    devices.start();
    unreleased.forEach(out::emit);
    out.commit(machine.steps());
    LOG.info(
        "Live after {} ms: {} writes were done again, {} outputs sent again",
        Math.round((System.nanoTime() - begin) / 1e5) / 10.0,
        rewrite.size(),
        unreleased.size());
    started.accept("");
    VcpuEnd end = vcpu.run();
    if (end instanceof VcpuEnd.Halted h) {
      haltedWhy = "The guest has stopped: " + h.power() + ".";
      halted = true;
    }
  }

  /**
   * Inputs come from devices' threads; a packet that comes before the machine runs is lost, as on a
   * wire.
   */
  private void offer(Input input) {
    VcpuLoop running = vcpu;
    if (running != null) {
      running.offer(input);
    }
  }

  private void newLog(long firstLsn, long attachId) {
    lastLsn = firstLsn;
    log = new SentLog(firstLsn, machine.steps(), attachId, LOG_BYTES_MAX, this::tellGrown);
    gate = new HoldingGate(o -> devices.outputs().emit(o), log, HELD_BYTES_MAX);
  }

  /**
   * An entry leaves at once if an output may wait for it. A clock reading or a digest leaves with
   * the next tick: a guest that only computes makes hundreds of them in a second, and to wake two
   * threads on either side for each takes a processor's time from it.
   */
  private void tellGrown(LogEntry entry) {
    boolean canWait =
        entry instanceof LogEntry.Digest
            || (entry instanceof LogEntry.InputEntry(long _, Input input)
                && input instanceof Input.ClockReading);
    if (canWait) {
      grewQuietly = true;
    } else if (grewTold.compareAndSet(false, true)) {
      transport.later(this::grown);
    }
  }

  private void grown() {
    grewTold.set(false);
    grewQuietly = false;
    SentLog now = log;
    if (now != null) {
      events.accept(new Event.LogGrew(now.next()));
    }
  }

  /** The guest's end is reported when all that it said has left. */
  void tick() {
    if (grewQuietly) {
      grown();
    }
    if (halted && !finished && (gate == null || gate.held() == 0)) {
      finished = true;
      events.accept(new Event.Finished(Ending.GUEST_HALTED, haltedWhy));
    }
    long now = System.nanoTime();
    if (log != null && !stabilizing && now - stableAt > STABLE_EVERY_NANOS) {
      stableAt = now;
      stabilize(log.next());
    }
  }

  private void stabilize(long next) {
    stabilizing = true;
    devices
        .makeStable()
        .whenComplete(
            (done, trouble) ->
                transport.later(
                    () -> {
                      stabilizing = false;
                      if (trouble == null) {
                        events.accept(new Event.DiskDurable(next));
                      }
                    }));
  }

  void unprotect(Epoch epoch) {
    if (vcpu == null && devices == null) {
      thread.execute(
          () ->
              run(
                  epoch,
                  0,
                  0,
                  machine.ticks(),
                  List.of(),
                  List.of(),
                  trouble -> {
                    if (!trouble.isEmpty()) {
                      events.accept(new Event.Finished(Ending.GO_LIVE_FAILED, trouble));
                    }
                  }));
      return;
    }
    if (gate != null) {
      // At once, because the vCPU may be waiting for room.
      gate.open();
    }
    // And in order: a final stop may still be on its way to the vCPU.
    vcpu.execute(
        () -> {
          if (gate != null) {
            gate.open();
            gate = null;
          }
          if (log != null) {
            log.close();
            log = null;
          }
          vcpu.useGate(OutputGate.passingTo(devices.outputs()));
          vcpu.useJournal(InputJournal.NONE);
          return null;
        });
  }

  void throttle(double fraction) {
    if (vcpu != null) {
      vcpu.throttle(fraction);
    }
  }

  void resume() {
    if (vcpu != null) {
      vcpu.resume();
    }
  }

  void end() {
    if (sender != null) {
      sender.end();
    }
    if (log != null) {
      log.close();
    }
    if (gate != null) {
      gate.discard();
    }
    VcpuLoop running = vcpu;
    if (running != null) {
      running.stop(null);
    }
    thread.execute(this::closeDevices);
    thread.end();
  }

  private void closeDevices() {
    if (devices != null) {
      devices.close();
      devices = null;
    }
  }

  // ---- Attach ----

  void beginCopy(Effect.BeginCopy e, PairConfig config) {
    if (vcpu == null) {
      // The epoch is ours, but the machine's thread is still opening its devices.
      var _ =
          transport
              .loop()
              .schedule(() -> beginCopy(e, config), START_WAIT_MILLIS, TimeUnit.MILLISECONDS);
      return;
    }
    transport.send(
        e.conn(),
        new Message.Welcome(
            config.vm(),
            config.self(),
            e.epoch(),
            e.attachId(),
            false,
            config.listen(),
            host.describeMachine()));
    sender = new AttachSender(transport, vcpu, e.conn(), e.attachId());
    sender.round(0, dirty -> events.accept(new Event.RoundCopied(e.attachId(), 0, dirty)));
  }

  void copyRound(Effect.CopyRound e) {
    sender.round(
        e.round(), dirty -> events.accept(new Event.RoundCopied(e.attachId(), e.round(), dirty)));
  }

  void finalStop(Effect.FinalStop e) {
    AttachSender attach = sender;
    vcpu.execute(
        () -> {
          if (attach.isEnded()) {
            return null;
          }
          long begin = System.nanoTime();
          attach.last();
          StateWriter state = new StateWriter();
          machine.saveState(state);
          // Not where the last log ended: what was reported of that one must not be taken for this
          // one.
          long startLsn = lastLsn + 1;
          Message last =
              new Message.Final(
                  e.attachId(), startLsn, machine.steps(), machine.digest(), state.toByteArray());
          newLog(startLsn, e.attachId());
          vcpu.useGate(gate);
          vcpu.useJournal(log);
          transport.send(attach.conn(), last);
          attachStopNanos = System.nanoTime() - begin;
          LOG.info(
              "The guest stood still for {} ms of the attach",
              Math.round(attachStopNanos / 1e5) / 10.0);
          events.accept(new Event.FinalDone(e.attachId(), startLsn));
          transport.later(() -> stabilize(startLsn));
          return null;
        });
  }

  void endAttach() {
    if (sender != null) {
      sender.end();
      sender = null;
    }
    if (log != null) {
      lastLsn = log.next();
      log.close();
      log = null;
    }
  }

  void beginHold() {
    HoldingGate holding = gate;
    SentLog current = log;
    vcpu.execute(
        () -> {
          holding.hold();
          events.accept(new Event.Holding(current.next()));
          return null;
        });
  }

  // ---- Log ----

  void stream(Effect.StreamLog e) {
    for (long from = e.from(); from < e.to(); ) {
      SentLog.Batch batch = log.batch(from, e.to());
      transport.send(
          e.conn(),
          new Message.LogBatch(
              e.attachId(), batch.firstLsn(), batch.count(), e.releasedNext(), batch.bytes()));
      from += batch.count();
    }
  }

  void forget(long next) {
    if (log != null) {
      log.forgetTo(next);
    }
  }

  void release(long next) {
    if (gate != null) {
      gate.releaseTo(next);
    }
  }

  // ---- Switch-over ----

  void quiesce() {
    SentLog current = log;
    vcpu.pause()
        .thenCompose(
            done ->
                vcpu.execute(
                    () -> {
                      // The secondary must come to stand at this very step.
                      current.append(new LogEntry.Flush(machine.steps()));
                      return null;
                    }))
        .thenCompose(done -> devices.makeStable())
        .whenComplete(
            (done, trouble) -> {
              if (trouble == null) {
                events.accept(new Event.Quiesced(current.next()));
              }
            });
  }

  /** Ends the live run for good; the machine stands where it stood when it was quiesced. */
  void retire() {
    gate.discard();
    gate = null;
    endAttach();
    vcpu.stop(null);
    thread.execute(
        () -> {
          closeDevices();
          vcpu = null;
        });
  }

  // ---- For status and for the other half ----

  VirtualMachine machine() {
    return machine;
  }

  OutputRelay relay() {
    return relay;
  }

  MachineConfig.ClockMode clockMode() {
    return clockMode;
  }

  int held() {
    HoldingGate now = gate;
    return now == null ? 0 : now.held();
  }

  long heldBytes() {
    HoldingGate now = gate;
    return now == null ? 0 : now.heldBytes();
  }

  long attachStopNanos() {
    return attachStopNanos;
  }

  long logBytes() {
    SentLog now = log;
    return now == null ? 0 : now.totalBytes();
  }
}
