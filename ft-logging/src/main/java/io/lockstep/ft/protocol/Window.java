package io.lockstep.ft.protocol;

/**
 * How far the log of an attach has come, on its way from the primary to the secondary's machine.
 * Every figure is an lsn, the first that is not included: {@code replayed <= acked <= sent <= end}
 * and {@code released <= acked}.
 *
 * @param durable all disk writes completed before it are stable on the shared storage
 */
record Window(
    long end, long sent, long acked, long replayed, long released, long durable, Gear gear) {
  /** Nothing that was written before is known to be stable yet. */
  static final long DURABLE_UNKNOWN = -1;

  static Window startingAt(long lsn, long durable) {
    return new Window(lsn, lsn, lsn, lsn, lsn, durable, Gear.NEUTRAL);
  }

  /** The connection is a new one, and the secondary has everything before {@code stored}. */
  Window resumedAt(long stored) {
    return new Window(end, stored, Math.max(acked, stored), replayed, released, durable, gear);
  }

  Window grown(long now, long next) {
    return next <= end
        ? this
        : new Window(next, sent, acked, replayed, released, durable, gear.grown(now, next));
  }

  Window sentTo(long next) {
    return new Window(end, next, acked, replayed, released, durable, gear);
  }

  /** An ack; figures that make no sense count as no progress. */
  Window acked(long stored, long replayedNext) {
    long newAcked = stored > sent ? acked : Math.max(acked, stored);
    long newReplayed = replayedNext > newAcked ? replayed : Math.max(replayed, replayedNext);
    return new Window(end, sent, newAcked, newReplayed, released, durable, gear);
  }

  Window releasedTo(long next) {
    return new Window(end, sent, acked, replayed, Math.max(released, next), durable, gear);
  }

  Window durableTo(long next) {
    return new Window(end, sent, acked, replayed, released, Math.max(durable, next), gear);
  }

  Window geared(long now, Timing timing) {
    return new Window(
        end, sent, acked, replayed, released, durable, gear.shifted(now, replayed, timing));
  }
}
