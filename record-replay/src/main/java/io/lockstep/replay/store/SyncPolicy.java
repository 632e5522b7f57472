package io.lockstep.replay.store;

/**
 * When written frames are forced to the disk. Without force they survive the end of this process,
 * but not a crash of the host.
 */
public enum SyncPolicy {
  /** Never: the operating system writes when it likes. */
  NEVER,
  /** At most once a second, and at the end. */
  EVERY_SECOND,
  /** After every batch: nothing is called written before it is on the disk. */
  ALWAYS
}
