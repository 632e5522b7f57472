package io.lockstep.replay.live;

import io.lockstep.replay.Replayer;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.vm.machine.GuestClock;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.machine.VirtualMachine.Power;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import java.util.ArrayDeque;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;

/**
 * Runs a machine live: the loop of the vCPU thread.
 *
 * <p>Backends {@link #offer} inputs from their threads. The loop ends the machine's run at the next
 * cheap point, gives each input the present execution point, hands it to the {@link InputJournal}
 * and only then applies it. With the host clock it takes a clock reading every few milliseconds
 * while the guest is busy and one when an idle guest wakes; an idle guest costs neither processor
 * time nor log. Outputs go to the {@link OutputGate}. Everything else that must happen between two
 * steps (snapshots, attach, switching journal or gate) is {@link #execute}d here.
 *
 * <p>Nothing on the way of an input takes a lock: an input that finds others waiting only links
 * itself behind them; the first one either unparks the thread or raises the machine's stop flag.
 *
 * <p>A loop is used for one {@link #run}. All methods may be called from any thread, apart from
 * those that say otherwise.
 */
public final class VcpuLoop implements InputPort {
  /**
   * How a loop paces itself.
   *
   * @param readingTicks ticks between clock readings while the guest is busy
   * @param digestTicks the shortest time between digests, in ticks
   * @param digestShareInverse digests take at most one part in this many of the time: 100 is 1%
   * @param spinNanos how long the thread looks for inputs before it parks; shortens the wake-up of
   *     a guest that waits for a fast disk
   */
  public record Pace(long readingTicks, long digestTicks, int digestShareInverse, long spinNanos) {
    /** Readings every 5 ms, digests once a second at no more than 1%, 20 µs of spinning. */
    public static final Pace DEFAULT = new Pace(50_000, 10_000_000, 100, 20_000);

    /** The same with digests {@code ticks} apart. */
    public Pace withDigestTicks(long ticks) {
      return new Pace(readingTicks, ticks, digestShareInverse, spinNanos);
    }
  }

  /** A park ends this much early, and the rest is spun: about the kernel's timer slack. */
  private static final long SPIN_TAIL_NANOS = 60_000;

  /** While throttled, runs are as short as this, so that the pauses are short, too ... */
  private static final long THROTTLED_RUN_TICKS = 10_000;

  /** ... but not shorter than it takes to owe a pause of this length. */
  private static final long THROTTLE_SLEEP_NANOS_MIN = 200_000;

  /** Less than this is nothing. */
  private static final double THROTTLE_MIN = 0.001;

  private static final long THROTTLE_SLEEP_NANOS_MAX = 20_000_000;

  /** Digests that take long come less often, but not less than once in this many intervals. */
  private static final int DIGEST_STRETCH_MAX = 10;

  /** The first digest looks at this many written pages at a time: few, as its code is not warm. */
  private static final int PREPARED_PAGES = 512;

  /** A flood of inputs must not keep the guest from running. */
  private static final int DRAIN_ROUNDS_MAX = 4;

  /** An idle machine that gets several inputs at once needs no clock reading for each. */
  private static final long WAKE_READING_TICKS_MIN = 100;

  private final VirtualMachine machine;
  private final OutputRelay relay;
  private final HostClock clock;
  private final Pace pace;
  private final boolean hostClock;
  private final ClockPacer pacer;
  private final Inbox inbox = new Inbox();
  private final Ticker ticker;

  // Owned by the vCPU thread.
  private final ArrayDeque<Input> heldWhilePaused = new ArrayDeque<>();
  private int heldPacketBytes;
  private InputJournal journal;
  private OutputGate gate;
  private boolean gateHolds;
  private boolean inMachine;
  private boolean outputsUncommitted;
  private boolean paused;
  private boolean stopping;
  private LogEntry.EndReason endReason;
  private long lastReadingTicks = Long.MIN_VALUE;
  private long nextReadingTicks;
  private long nextDigestTicks;

  /** Where a digest was the last thing journalled; negative if something followed it. */
  private long lastDigestPoint = -1;

  private double throttleOwedNanos;
  private long runTicks;
  private long idleTicks;
  private long throttledTicks;
  private long inputs;
  private long readings;
  private long outputs;
  private long digests;
  private long digestTicks;

  private volatile Thread thread;
  private volatile boolean parked;
  private volatile double throttle;
  private volatile VcpuStats stats = new VcpuStats(0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

  /**
   * Makes a loop; nothing runs yet.
   *
   * @param machine at any point of its life, with {@code relay} as its sink
   * @param relay connected to the gate when {@link #run} begins
   * @param clockMode the machine's clock mode; with {@link ClockMode#INSTRUCTIONS} there are no
   *     clock readings
   * @param clock must show at least {@code machine.ticks()}, or the guest's clock stands until it
   *     does
   * @param journal is told of every entry before it takes effect
   * @param gate gets the outputs
   */
  public VcpuLoop(
      VirtualMachine machine,
      OutputRelay relay,
      ClockMode clockMode,
      HostClock clock,
      InputJournal journal,
      OutputGate gate,
      Pace pace) {
    this.machine = machine;
    this.relay = relay;
    this.clock = clock;
    this.pace = pace;
    this.hostClock = clockMode == ClockMode.HOST;
    this.pacer = new ClockPacer(pace.readingTicks());
    this.ticker = new Ticker(machine, clock);
    this.journal = journal;
    useGate(gate);
  }

  @Override
  public void offer(Input input) {
    if (inbox.add(new Inbox.Node(input, null)) == Inbox.Added.FIRST) {
      wake();
    }
  }

  /**
   * Runs {@code task} on the vCPU thread between two steps, after the inputs offered before it.
   * Also while paused.
   *
   * @return completes with the task's result or exception, or with an {@link IllegalStateException}
   *     if the loop has ended. Actions chained to it without an executor may run on the vCPU thread
   *     and hold up the guest.
   */
  public <T> CompletableFuture<T> execute(Callable<T> task) {
    Command<T> command = new Command<>(task);
    switch (inbox.add(new Inbox.Node(null, command))) {
      case FIRST -> wake();
      case BEHIND -> {}
      case DROPPED, CLOSED ->
          command.result.completeExceptionally(
              new IllegalStateException("the machine has stopped"));
    }
    return command.result;
  }

  /**
   * Ends the loop between two steps.
   *
   * @param reason for the end entry of the journal; null to append none
   */
  public CompletableFuture<Void> stop(LogEntry.EndReason reason) {
    return execute(
        () -> {
          stopping = true;
          endReason = reason;
          return null;
        });
  }

  /**
   * Holds the guest; inputs wait. The host's clock, and so the guest's, goes on. Completes when the
   * guest stands.
   */
  public CompletableFuture<Void> pause() {
    return execute(
        () -> {
          paused = true;
          return null;
        });
  }

  /** Ends a pause. */
  public CompletableFuture<Void> resume() {
    return execute(
        () -> {
          paused = false;
          return null;
        });
  }

  /**
   * Sleeps this share of the time that the guest is busy: 0 is full speed, 0.9 a tenth. Values
   * outside 0 to 0.99 are moved there.
   */
  public void throttle(double share) {
    throttle = Math.clamp(share, 0.0, 0.99);
  }

  /** The share in force. */
  public double throttle() {
    return throttle;
  }

  /** Numbers for a status line. */
  public VcpuStats stats() {
    return stats;
  }

  /** The machine. To be touched only in {@link #execute}, or before and after {@link #run}. */
  public VirtualMachine machine() {
    return machine;
  }

  /** Replaces the journal. On the vCPU thread (in {@link #execute}), or before {@link #run}. */
  public void useJournal(InputJournal next) {
    journal = next;
    lastDigestPoint = -1;
  }

  /**
   * Replaces the gate; the old one has committed all its outputs. On the vCPU thread, or before
   * {@link #run}.
   */
  public void useGate(OutputGate next) {
    if (gate != null) {
      commitOutputs();
    }
    gate = next;
    gateHolds = next.holdsOutputs();
  }

  /**
   * Appends an entry of the caller's at the present point. On the vCPU thread, or before {@link
   * #run}.
   */
  public long journal(LogEntry entry) {
    return append(entry);
  }

  /** All but digests: what is journalled may change the machine without a step. */
  private long append(LogEntry entry) {
    lastDigestPoint = -1;
    return journal.append(entry);
  }

  /**
   * Appends a digest entry now, unless one of this very state was the last entry. On the vCPU
   * thread, or before {@link #run}.
   */
  public void digestNow() {
    digest(clock.ticks());
  }

  /**
   * Runs the machine on the calling thread until it halts or {@link #stop} is called. Disk and
   * entropy requests in flight are issued again first, so this is also how a replayed machine goes
   * live.
   */
  public VcpuEnd run() {
    thread = Thread.currentThread();
    relay.connect(this::emit);
    ticker.start();
    try {
      machine.reissueOutstanding();
      commitOutputs();
      loop();
      publishStats();
      Power power = machine.power();
      LogEntry.EndReason reason = stopping ? endReason : LogEntry.EndReason.GUEST_HALTED;
      if (reason != null) {
        digest(clock.ticks());
        append(new LogEntry.End(machine.steps(), reason));
      }
      return power == Power.ON
          ? new VcpuEnd.Stopped(machine.steps())
          : new VcpuEnd.Halted(machine.steps(), power);
    } finally {
      ticker.close();
      failCommands(inbox.close());
    }
  }

  private void loop() {
    while (true) {
      // Settling an input may have swallowed a stop request that came with the next one.
      for (int round = 0; round < DRAIN_ROUNDS_MAX && !inbox.isEmpty(); round++) {
        drain();
      }
      if (stopping || machine.power() != Power.ON) {
        return;
      }
      if (paused) {
        sleepUntil(GuestClock.NEVER);
      } else if (machine.isIdle()) {
        idle();
      } else {
        busy();
      }
    }
  }

  private void busy() {
    long begin = clock.ticks();
    if (hostClock && begin >= nextReadingTicks - Ticker.EARLY_TICKS) {
      read(begin);
    }
    digestIfDue(begin);
    ticker.stopAt(runUntil(begin));
    long before = machine.steps();
    inMachine = true;
    // A machine that goes idle is found out by the loop, as is one that halted.
    machine.run(Long.MAX_VALUE);
    inMachine = false;
    ticker.clear();
    commitOutputs();
    long end = clock.ticks();
    runTicks += end - begin;
    pacer.ran(end - begin, machine.steps() - before);
    if (throttle >= THROTTLE_MIN) {
      sleepForThrottle(end - begin);
    }
  }

  private long runUntil(long now) {
    long until = hostClock ? nextReadingTicks : GuestClock.NEVER;
    if (journal.wantsDigests()) {
      until = Math.min(until, Math.max(nextDigestTicks, now + pace.readingTicks()));
    }
    double share = throttle;
    return share >= THROTTLE_MIN ? Math.min(until, now + throttledRun(share)) : until;
  }

  private static long throttledRun(double share) {
    double sleepTicks = THROTTLE_SLEEP_NANOS_MIN / (double) HostClock.NANOS_PER_TICK;
    return Math.max(THROTTLED_RUN_TICKS, (long) (sleepTicks * (1 - share) / share));
  }

  private void idle() {
    long begin = clock.ticks();
    publishStats();
    long wakeTicks = hostClock ? machine.wakeTicks() : GuestClock.NEVER;
    if (wakeTicks <= machine.ticks()) {
      // Due, and yet the guest sleeps on: no reading would wake it.
      wakeTicks = GuestClock.NEVER;
    }
    sleepUntil(wakeTicks);
    long end = clock.ticks();
    idleTicks += end - begin;
    if (end >= wakeTicks) {
      read(end);
    }
  }

  /** Returns when the inbox is not empty, or the clock shows {@code wakeTicks}. */
  private void sleepUntil(long wakeTicks) {
    long spinEnd = System.nanoTime() + pace.spinNanos();
    while (inbox.isEmpty() && System.nanoTime() - spinEnd < 0) {
      Thread.onSpinWait();
    }
    parked = true;
    while (inbox.isEmpty()) {
      if (wakeTicks == GuestClock.NEVER) {
        LockSupport.park(this);
        continue;
      }
      long leftTicks = wakeTicks - clock.ticks();
      if (leftTicks <= 0) {
        break;
      }
      // The product overflows for times beyond 292 years only; the smaller bound is an hour.
      long leftNanos = Math.min(leftTicks, 36_000_000_000L) * HostClock.NANOS_PER_TICK;
      if (leftNanos > SPIN_TAIL_NANOS) {
        LockSupport.parkNanos(this, leftNanos - SPIN_TAIL_NANOS);
      } else {
        Thread.onSpinWait();
      }
    }
    parked = false;
  }

  private void sleepForThrottle(long ranTicks) {
    double share = throttle;
    throttleOwedNanos += ranTicks * HostClock.NANOS_PER_TICK * share / (1 - share);
    if (throttleOwedNanos < THROTTLE_SLEEP_NANOS_MIN) {
      return;
    }
    long begin = System.nanoTime();
    LockSupport.parkNanos(this, (long) Math.min(throttleOwedNanos, THROTTLE_SLEEP_NANOS_MAX));
    long slept = System.nanoTime() - begin;
    throttleOwedNanos = Math.max(-THROTTLE_SLEEP_NANOS_MAX, throttleOwedNanos - slept);
    throttledTicks += slept / HostClock.NANOS_PER_TICK;
    pacer.ran(slept / HostClock.NANOS_PER_TICK, 0);
  }

  private void drain() {
    for (Inbox.Node node = inbox.takeAll(); node != null; node = node.next) {
      if (node.command != null) {
        node.command.run();
      } else if (paused) {
        hold(node.input);
      } else {
        applyHeld();
        apply(node.input);
      }
    }
    if (!paused) {
      applyHeld();
    }
    commitOutputs();
  }

  private void applyHeld() {
    while (!heldWhilePaused.isEmpty()) {
      apply(heldWhilePaused.remove());
    }
    heldPacketBytes = 0;
  }

  private void hold(Input input) {
    if (input instanceof Input.PacketArrival packet) {
      int bytes = heldPacketBytes + packet.frame().length;
      if (heldWhilePaused.size() >= Inbox.PACKETS_MAX || bytes > Inbox.PACKET_BYTES_MAX) {
        return;
      }
      heldPacketBytes = bytes;
    }
    heldWhilePaused.add(input);
  }

  private void apply(Input input) {
    if (stopping) {
      return;
    }
    if (hostClock && machine.isIdle()) {
      long now = clock.ticks();
      if (now - lastReadingTicks >= WAKE_READING_TICKS_MIN) {
        read(now);
      }
    }
    inputs++;
    append(new LogEntry.InputEntry(machine.steps(), input));
    machine.apply(input);
    Replayer.settle(machine);
  }

  private void read(long hostTicks) {
    Input.ClockReading reading = pacer.reading(machine, hostTicks);
    append(new LogEntry.InputEntry(machine.steps(), reading));
    machine.apply(reading);
    Replayer.settle(machine);
    readings++;
    lastReadingTicks = hostTicks;
    nextReadingTicks = hostTicks + pace.readingTicks();
    publishStats();
  }

  private void digestIfDue(long now) {
    if (now >= nextDigestTicks && journal.wantsDigests()) {
      if (machine.prepareDigest(PREPARED_PAGES)) {
        digest(now);
      } else {
        nextDigestTicks = now + pace.readingTicks();
      }
    }
  }

  private void digest(long now) {
    long point = machine.steps();
    if (!journal.wantsDigests() || point == lastDigestPoint) {
      return;
    }
    journal.append(new LogEntry.Digest(point, machine.digest()));
    lastDigestPoint = point;
    long end = clock.ticks();
    long took = end - now;
    digests++;
    digestTicks += took;
    // The first one looks at all memory and says nothing about those to come.
    long rest = digests == 1 ? 0 : took * pace.digestShareInverse();
    nextDigestTicks =
        end + Math.clamp(rest, pace.digestTicks(), DIGEST_STRETCH_MAX * pace.digestTicks());
  }

  private void emit(Output output) {
    outputs++;
    outputsUncommitted = true;
    gate.emit(output);
    if (gateHolds && inMachine) {
      machine.requestStop();
    }
  }

  private void commitOutputs() {
    if (outputsUncommitted) {
      outputsUncommitted = false;
      gate.commit(machine.steps());
    }
  }

  private void wake() {
    if (parked) {
      LockSupport.unpark(thread);
    } else {
      machine.requestStop();
    }
  }

  private void publishStats() {
    stats =
        new VcpuStats(
            machine.steps(),
            machine.ticks(),
            runTicks,
            idleTicks,
            throttledTicks,
            inputs,
            readings,
            outputs,
            digests,
            digestTicks);
  }

  private static void failCommands(Inbox.Node first) {
    for (Inbox.Node node = first; node != null; node = node.next) {
      if (node.command instanceof Command<?> command) {
        command.result.completeExceptionally(new IllegalStateException("the machine has stopped"));
      }
    }
  }

  /** A task and where its result goes. */
  private static final class Command<T> implements Runnable {
    private final Callable<T> task;
    private final CompletableFuture<T> result = new CompletableFuture<>();

    Command(Callable<T> task) {
      this.task = task;
    }

    @Override
    public void run() {
      try {
        result.complete(task.call());
      } catch (Exception e) {
        result.completeExceptionally(e);
      }
    }
  }
}
