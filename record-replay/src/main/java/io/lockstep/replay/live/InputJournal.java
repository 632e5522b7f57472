package io.lockstep.replay.live;

import io.lockstep.replay.log.LogEntry;

/**
 * Where the vCPU loop says what it is about to do to the machine. All calls come from the vCPU
 * thread, in the order of the log.
 */
public interface InputJournal {
  /** A run that nobody records. */
  InputJournal NONE =
      new InputJournal() {
        @Override
        public long append(LogEntry entry) {
          return 0;
        }

        @Override
        public boolean wantsDigests() {
          return false;
        }
      };

  /**
   * Takes the next entry, before it has any effect on the machine. May wait when its reader is slow
   * (bounded queue); must not throw: trouble with a store is reported to whoever owns the journal,
   * and the machine goes on.
   *
   * @return the entry's lsn
   */
  long append(LogEntry entry);

  /** Whether digests are worth computing for this journal. */
  default boolean wantsDigests() {
    return true;
  }
}
