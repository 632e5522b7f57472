package io.lockstep.replay.live;

import io.lockstep.vm.machine.GuestClock;
import io.lockstep.vm.machine.VirtualMachine;
import java.util.concurrent.locks.LockSupport;

/**
 * Ends a run of the machine when the host's clock shows a given tick, so that the vCPU thread need
 * not interrupt itself at an exact step, which would cost the engine a partial block. While the
 * machine idles the ticker's thread soon sleeps for good and costs nothing.
 */
final class Ticker implements AutoCloseable {
  /**
   * A run may end this much too early (100 µs): the next stop is as a rule due one interval after
   * this one and the time that the vCPU takes to come to it, and without the tolerance the thread
   * would wake twice for each.
   */
  static final long EARLY_TICKS = 1_000;

  private static final long PERIOD_TICKS = 50_000;
  private static final int QUIET_PERIODS = 4;

  private final VirtualMachine machine;
  private final HostClock clock;
  private final Thread thread;
  private volatile long stopAtTicks = GuestClock.NEVER;

  /** When the thread will look next, in ticks of the clock; it is woken for what is due earlier. */
  private volatile long looksAtTicks;

  private volatile boolean closed;

  Ticker(VirtualMachine machine, HostClock clock) {
    this.machine = machine;
    this.clock = clock;
    this.thread = Thread.ofPlatform().daemon().name("vcpu-ticker").unstarted(this::work);
  }

  void start() {
    thread.start();
  }

  /** Asks for a stop at {@code ticks}, instead of what was asked for before. */
  void stopAt(long ticks) {
    stopAtTicks = ticks;
    if (ticks < looksAtTicks) {
      LockSupport.unpark(thread);
    }
  }

  /** Asks for no stop. */
  void clear() {
    stopAtTicks = GuestClock.NEVER;
  }

  private void work() {
    int quiet = 0;
    while (!closed) {
      long now = clock.ticks();
      long at = stopAtTicks;
      if (at - EARLY_TICKS <= now) {
        machine.requestStop();
        // Should that get lost there is another one.
        sleepUntil(now + PERIOD_TICKS, at);
      } else {
        quiet = at == GuestClock.NEVER ? quiet + 1 : 0;
        sleepUntil(quiet > QUIET_PERIODS ? GuestClock.NEVER : Math.min(at, now + PERIOD_TICKS), at);
      }
    }
  }

  /** Until the clock shows {@code ticks}, or something other than {@code known} is due earlier. */
  private void sleepUntil(long ticks, long known) {
    looksAtTicks = ticks;
    while (!closed && (stopAtTicks >= ticks || stopAtTicks == known)) {
      if (ticks == GuestClock.NEVER) {
        LockSupport.park(this);
        continue;
      }
      long left = ticks - clock.ticks();
      if (left <= 0) {
        break;
      }
      LockSupport.parkNanos(this, left * HostClock.NANOS_PER_TICK);
    }
    looksAtTicks = Long.MIN_VALUE;
  }

  @Override
  public void close() {
    closed = true;
    LockSupport.unpark(thread);
  }
}
