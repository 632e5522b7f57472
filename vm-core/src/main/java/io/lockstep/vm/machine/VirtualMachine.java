package io.lockstep.vm.machine;

import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;

/**
 * A machine as recorder, replayer and pair see it. All methods belong to the vCPU thread, apart
 * from {@link #requestStop}.
 *
 * <p>The life of a live machine: {@code run}, look at why it returned, {@code apply} the inputs
 * that wait, again. The life of a replayed one: {@code run} to exactly the next input's execution
 * point, {@code apply} it, again.
 */
public interface VirtualMachine {

  /** Why {@link #run} returned. */
  enum Stop {
    /** {@code steps()} equals the limit. */
    LIMIT,
    /** {@link #requestStop} was called. The point is one where the engine could stop cheaply. */
    REQUESTED,
    /**
     * The guest waits for an interrupt and none is pending: nothing happens until an input. With
     * the host clock, a {@link Input.ClockReading} at or after {@link #wakeTicks} wakes it. With
     * the instruction clock only when no timer is set.
     */
    IDLE,
    /** The guest has powered off, see {@link #power}. Further runs return this at once. */
    HALTED
  }

  /** Whether the guest runs, and if not, why. */
  enum Power {
    /** It runs. */
    ON,
    /** It shut itself down, or {@link Input.ControlKind#POWER_OFF} was applied. */
    OFF,
    /** It asked for a reboot: who runs the machine starts a new one. */
    REBOOT,
    /** It shut down and reported a failure. */
    FAILED
  }

  /**
   * The execution point: steps since reset (a retired instruction, a trapping instruction and an
   * interrupt that is taken each count one).
   */
  long steps();

  /**
   * Runs until the execution point is exactly {@code limit}, or a reason to return earlier.
   *
   * @param limit an execution point, at least {@code steps()}; {@link Long#MAX_VALUE} for no limit
   */
  Stop run(long limit);

  /**
   * From any thread: makes a {@link #run} that is under way, or else the next one, return soon with
   * {@link Stop#REQUESTED}.
   */
  void requestStop();

  /**
   * Applies an input before the next step. Never throws for an input that makes no sense to the
   * guest: it is ignored.
   */
  void apply(Input input);

  /** Whether the guest waits for an interrupt (WFI) with none pending. */
  boolean isIdle();

  /**
   * How many typed bytes a console's device keeps because the guest has not read them yet. It keeps
   * a bounded number and drops the rest, so whoever types much asks in between.
   *
   * @param device a {@link io.lockstep.vm.port.DeviceId}
   */
  default int consoleBacklog(int device) {
    return 0;
  }

  /** The guest's clock at the present point, in ticks of {@link MachineConfig#TIMEBASE_HZ}. */
  long ticks();

  /**
   * The tick at which the earliest armed timer fires, {@link GuestClock#NEVER} if none is armed.
   * May be in the past.
   */
  long wakeTicks();

  /** Whether the guest runs, and if not, why. */
  Power power();

  /**
   * Emits every disk and entropy request in flight again, in the order of their ids, device by
   * device. For whoever goes live.
   */
  void reissueOutstanding();

  /**
   * A hash of the complete machine state (registers, CSRs, translation caches, devices, clock,
   * RAM): equal states have equal digests, and it does not matter how a machine got there. Costs
   * time in proportion to the pages written since the last call.
   */
  long digest();

  /**
   * Does a part of what the first {@link #digest} has to do, which looks at all memory, so that the
   * guest need not stand for it in one piece. Changes nothing that can be seen.
   *
   * @param pagesMax how many pages of memory to look at
   * @return whether nothing is left to prepare
   */
  default boolean prepareDigest(int pagesMax) {
    return true;
  }

  /**
   * Does a part of what the next {@link #digest} has to do, be it the first one or not. Changes
   * nothing that can be seen.
   *
   * @param pagesMax how many written pages of memory to look at
   * @return how many it has looked at; fewer than {@code pagesMax} if there are no more for now
   */
  default int digestPart(int pagesMax) {
    return 0;
  }

  /**
   * Drops everything that the engine has derived from the machine's state. The guest cannot tell.
   */
  default void dropCaches() {}

  /** Writes all state but RAM. */
  void saveState(StateWriter out);

  /**
   * Replaces all state but RAM by what {@link #saveState} wrote; RAM is filled separately, before
   * or after, by {@link GuestRam#write}.
   *
   * @throws io.lockstep.vm.snapshot.StateFormatException if the bytes come from another machine
   *     definition or are damaged
   */
  void restoreState(StateReader in);

  /**
   * The guest's RAM. Reading is allowed between runs; writing only before the first run or with
   * {@link #restoreState}.
   */
  GuestRam ram();

  /**
   * Clears a consumer's dirty bits on all pages, so that pages written from now on have it set
   * again.
   *
   * @param dirtyBit one of {@link GuestRam#DIRTY_ATTACH}, {@link GuestRam#DIRTY_SNAPSHOT}
   */
  void clearDirty(byte dirtyBit);

  /**
   * What makes two machines the same kind of machine: configuration and the definition of
   * everything guest-visible, as text lines {@code name=value}.
   */
  String definition();
}
