package io.lockstep.replay.log;

import io.lockstep.vm.port.Input;

/**
 * One entry of the log. The sequence of entries, applied to a machine in its starting state, makes
 * the run happen again.
 *
 * <p>An entry has a log sequence number (lsn), which is dense and given by its place in the
 * sequence, so it is not a field. Execution points never decrease from one entry to the next;
 * entries with equal points keep the order of the log.
 */
public sealed interface LogEntry {
  /** The execution point: this entry belongs before the step of that number. */
  long point();

  /** An input that was applied to the machine. */
  record InputEntry(long point, Input input) implements LogEntry {}

  /**
   * Outputs were emitted and wait for this entry to be acknowledged. Whoever takes over from this
   * log applies all entries up to this one and runs at least to its point before it goes live.
   *
   * @param outputs how many outputs the machine has emitted since the log began, up to this point
   */
  record OutputMark(long point, long outputs) implements LogEntry {}

  /** The machine's {@link io.lockstep.vm.machine.VirtualMachine#digest()} at this point. */
  record Digest(long point, long digest) implements LogEntry {}

  /** From here on the log belongs to this epoch; the writer has won it. */
  record EpochChange(long point, long epoch) implements LogEntry {}

  /**
   * Nothing happens in the machine. It says that the run had come at least to this point, so that a
   * follower may run to it, and asks the store to make what came before durable.
   */
  record Flush(long point) implements LogEntry {}

  /**
   * A snapshot of the machine at this point was stored.
   *
   * @param snapshot its number in the recording, from 0
   */
  record SnapshotMark(long point, int snapshot) implements LogEntry {}

  /** The log ends here on purpose. */
  record End(long point, EndReason reason) implements LogEntry {}

  /** Why a log ended. */
  enum EndReason {
    /** The guest powered off, asked for a reboot or reported a failure. */
    GUEST_HALTED,
    /** The operator stopped the machine or the recording. */
    STOPPED,
    /** The log is continued by another one (switch-over, new secondary). */
    CONTINUED_ELSEWHERE
  }
}
