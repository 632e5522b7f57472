package io.lockstep.ft.protocol;

import io.lockstep.ft.protocol.Role.Following;

/** Makes a {@link Following} that differs in some components. */
final class FollowingEdit {
  private Following s;

  FollowingEdit(Following s) {
    this.s = s;
  }

  Following done() {
    return s;
  }

  FollowingEdit heard(long now) {
    return set(
        s.conn(),
        s.storedNext(),
        s.replayedNext(),
        s.loaded(),
        s.eligibleFrom(),
        s.switchAt(),
        s.beat(),
        now,
        s.ackedAt(),
        s.retryAt());
  }

  FollowingEdit stored(long next) {
    return set(
        s.conn(),
        Math.max(s.storedNext(), next),
        s.replayedNext(),
        s.loaded(),
        s.eligibleFrom(),
        s.switchAt(),
        s.beat(),
        s.lastHeard(),
        s.ackedAt(),
        s.retryAt());
  }

  FollowingEdit replayed(long next) {
    return set(
        s.conn(),
        s.storedNext(),
        Math.max(s.replayedNext(), next),
        s.loaded(),
        s.eligibleFrom(),
        s.switchAt(),
        s.beat(),
        s.lastHeard(),
        s.ackedAt(),
        s.retryAt());
  }

  FollowingEdit loaded() {
    return set(
        s.conn(),
        s.storedNext(),
        s.replayedNext(),
        true,
        s.eligibleFrom(),
        s.switchAt(),
        s.beat(),
        s.lastHeard(),
        s.ackedAt(),
        s.retryAt());
  }

  FollowingEdit eligibleFrom(long lsn) {
    return set(
        s.conn(),
        s.storedNext(),
        s.replayedNext(),
        s.loaded(),
        lsn,
        s.switchAt(),
        s.beat(),
        s.lastHeard(),
        s.ackedAt(),
        s.retryAt());
  }

  FollowingEdit switchAt(long lsn) {
    return set(
        s.conn(),
        s.storedNext(),
        s.replayedNext(),
        s.loaded(),
        s.eligibleFrom(),
        lsn,
        s.beat(),
        s.lastHeard(),
        s.ackedAt(),
        s.retryAt());
  }

  FollowingEdit beat(long number) {
    return set(
        s.conn(),
        s.storedNext(),
        s.replayedNext(),
        s.loaded(),
        s.eligibleFrom(),
        s.switchAt(),
        Math.max(s.beat(), number),
        s.lastHeard(),
        s.ackedAt(),
        s.retryAt());
  }

  FollowingEdit conn(long number) {
    return set(
        number,
        s.storedNext(),
        s.replayedNext(),
        s.loaded(),
        s.eligibleFrom(),
        s.switchAt(),
        s.beat(),
        s.lastHeard(),
        s.ackedAt(),
        s.retryAt());
  }

  FollowingEdit ackedAt(long now) {
    return set(
        s.conn(),
        s.storedNext(),
        s.replayedNext(),
        s.loaded(),
        s.eligibleFrom(),
        s.switchAt(),
        s.beat(),
        s.lastHeard(),
        now,
        s.retryAt());
  }

  FollowingEdit retryAt(long at) {
    return set(
        s.conn(),
        s.storedNext(),
        s.replayedNext(),
        s.loaded(),
        s.eligibleFrom(),
        s.switchAt(),
        s.beat(),
        s.lastHeard(),
        s.ackedAt(),
        at);
  }

  private FollowingEdit set(
      long conn,
      long stored,
      long replayed,
      boolean loaded,
      long eligibleFrom,
      long switchAt,
      long beat,
      long lastHeard,
      long ackedAt,
      long retryAt) {
    boolean eligible = s.eligible() || (loaded && eligibleFrom >= 0 && stored >= eligibleFrom);
    s =
        new Following(
            s.epoch(),
            conn,
            s.primary(),
            s.attachId(),
            stored,
            replayed,
            loaded,
            eligible,
            eligibleFrom,
            switchAt,
            beat,
            lastHeard,
            ackedAt,
            retryAt);
    return this;
  }
}
