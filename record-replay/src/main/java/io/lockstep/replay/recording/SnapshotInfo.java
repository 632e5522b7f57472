package io.lockstep.replay.recording;

/**
 * What the head of a snapshot file says.
 *
 * @param number of the snapshot
 * @param base the snapshot that it builds on, -1 if it is complete
 * @param runId of its run
 * @param point its execution point
 * @param ticks the guest's clock there
 * @param nextLsn lsn of the entry that follows it
 */
public record SnapshotInfo(
    int number, int base, long runId, long point, long ticks, long nextLsn) {}
