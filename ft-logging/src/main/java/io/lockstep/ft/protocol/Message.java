package io.lockstep.ft.protocol;

/**
 * What the two sides of a pair say to each other. Bit layouts are in {@link MessageCodec}. Log
 * positions are lsns; a {@code ...Next} is the first lsn that is <em>not</em> included.
 */
public sealed interface Message {

  /**
   * The secondary's first message on a connection.
   *
   * @param version {@link MessageCodec#VERSION}
   * @param vm the virtual machine's name, empty: any
   * @param definition {@link io.lockstep.vm.machine.VirtualMachine#definition}, or empty when the
   *     secondary will build whatever machine it is told
   * @param replica who speaks
   * @param attachId 0 to join anew, or the attach that shall be resumed
   * @param storedNext with a resume: the end of what the secondary has stored
   * @param listen where this replica would listen as a primary, {@code host:port} or empty
   */
  record Hello(
      int version,
      String vm,
      String definition,
      ReplicaId replica,
      long attachId,
      long storedNext,
      String listen)
      implements Message {}

  /**
   * The primary's answer to {@link Hello}: a new attach begins, or the log goes on.
   *
   * @param machine what the secondary needs to make the machine (configuration, as the driver
   *     encodes it); empty with a resume
   */
  record Welcome(
      String vm,
      ReplicaId primary,
      Epoch epoch,
      long attachId,
      boolean resumed,
      String listen,
      byte[] machine)
      implements Message {}

  /** The other answer to {@link Hello}: a sentence that says what differs. */
  record Refused(String why) implements Message {}

  /**
   * Pages of guest memory, as {@code AttachCopier} encodes them.
   *
   * @param attachId the attach
   * @param bytes page numbers and contents
   */
  record Pages(long attachId, byte[] bytes) implements Message {}

  /**
   * Everything that is not RAM, and where the log begins. All pages have been sent.
   *
   * @param startLsn first lsn of the log to come
   * @param point execution point of the state
   * @param digest the machine's digest there
   * @param state as {@code VirtualMachine.saveState} wrote it, with what the driver adds
   */
  record Final(long attachId, long startLsn, long point, long digest, byte[] state)
      implements Message {}

  /** The secondary has loaded the state, and its digest is the primary's. */
  record Attached(long attachId) implements Message {}

  /**
   * From {@code fromLsn} on the primary holds outputs: a secondary that has stored up to there may
   * take over.
   */
  record Protect(long attachId, long fromLsn) implements Message {}

  /**
   * Part of the log.
   *
   * @param count entries, 1 or more
   * @param releasedNext as in {@link Beat}
   * @param entries their frames
   */
  record LogBatch(long attachId, long firstLsn, int count, long releasedNext, byte[] entries)
      implements Message {
    /** The lsn after the last entry. */
    public long next() {
      return firstLsn + count;
    }
  }

  /**
   * The secondary's progress; also its heartbeat.
   *
   * @param storedNext all before it is in memory and in the log file
   * @param replayedNext all before it has been applied
   * @param beat number of the newest {@link Beat} seen
   */
  record Ack(long attachId, long storedNext, long replayedNext, long beat) implements Message {}

  /**
   * The primary's heartbeat.
   *
   * @param beat a number that grows
   * @param releasedNext all outputs with marks before it have left
   * @param durableNext all disk writes whose completion lies before it are stable on the shared
   *     storage
   */
  record Beat(long attachId, long beat, long releasedNext, long durableNext) implements Message {}

  /** The secondary gives up for good: it will never claim an epoch. */
  record Resign(long attachId, String why) implements Message {}

  /**
   * The primary has won the next epoch (or never protected itself by this secondary) and goes on
   * without it.
   */
  record Bye(long attachId, String why) implements Message {}

  /** Planned switch-over: the primary stands still at the end of the log, {@code finalNext}. */
  record SwitchOver(long attachId, long finalNext) implements Message {}

  /**
   * The old secondary is the primary now, under {@code epoch}; its log goes on at {@code
   * finalNext}.
   */
  record TookOver(long attachId, Epoch epoch, long finalNext) implements Message {}
}
