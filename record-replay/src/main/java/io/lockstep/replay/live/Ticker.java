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
  private static final long PERIOD_NANOS = 5_000_000;
  private static final long AFTER_STOP_NANOS = 100_000;
  private static final int QUIET_PERIODS = 4;

  private final VirtualMachine machine;
  private final HostClock clock;
  private final Thread thread;
  private volatile long stopAtTicks = GuestClock.NEVER;
  private volatile boolean asleep;
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
    if (asleep) {
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
      long at = stopAtTicks;
      if (at == GuestClock.NEVER) {
        quiet++;
        if (quiet > QUIET_PERIODS) {
          sleepUntilNeeded();
          quiet = 0;
        } else {
          LockSupport.parkNanos(this, PERIOD_NANOS);
        }
        continue;
      }
      quiet = 0;
      long left = at - clock.ticks();
      if (left > 0) {
        LockSupport.parkNanos(this, Math.min(left * HostClock.NANOS_PER_TICK, PERIOD_NANOS));
      } else {
        machine.requestStop();
        LockSupport.parkNanos(this, AFTER_STOP_NANOS);
      }
    }
  }

  private void sleepUntilNeeded() {
    asleep = true;
    while (stopAtTicks == GuestClock.NEVER && !closed) {
      LockSupport.park(this);
    }
    asleep = false;
  }

  @Override
  public void close() {
    closed = true;
    LockSupport.unpark(thread);
  }
}
