package io.lockstep.ft.protocol;

import io.lockstep.ft.protocol.Role.Following;

/** Makes a {@link Following} that differs in some components. */
final class FollowingEdit {
  private final Following before;
  private long conn;
  private long storedNext;
  private long replayedNext;
  private boolean loaded;
  private boolean eligible;
  private long eligibleFrom;
  private long switchAt;
  private long beat;
  private long lastHeard;
  private long ackedAt;
  private long retryAt;

  FollowingEdit(Following s) {
    before = s;
    conn = s.conn();
    storedNext = s.storedNext();
    replayedNext = s.replayedNext();
    loaded = s.loaded();
    eligible = s.eligible();
    eligibleFrom = s.eligibleFrom();
    switchAt = s.switchAt();
    beat = s.beat();
    lastHeard = s.lastHeard();
    ackedAt = s.ackedAt();
    retryAt = s.retryAt();
  }

  Following done() {
    return new Following(
        before.epoch(),
        conn,
        before.primary(),
        before.attachId(),
        storedNext,
        replayedNext,
        loaded,
        eligible,
        eligibleFrom,
        switchAt,
        beat,
        lastHeard,
        ackedAt,
        retryAt);
  }

  FollowingEdit heard(long now) {
    lastHeard = now;
    return edited();
  }

  FollowingEdit stored(long next) {
    storedNext = Math.max(storedNext, next);
    return edited();
  }

  FollowingEdit replayed(long next) {
    replayedNext = Math.max(replayedNext, next);
    return edited();
  }

  FollowingEdit loaded() {
    loaded = true;
    return edited();
  }

  FollowingEdit eligibleFrom(long lsn) {
    eligibleFrom = lsn;
    return edited();
  }

  FollowingEdit switchAt(long lsn) {
    switchAt = lsn;
    return edited();
  }

  FollowingEdit beat(long number) {
    beat = Math.max(beat, number);
    return edited();
  }

  FollowingEdit conn(long number) {
    conn = number;
    return edited();
  }

  FollowingEdit ackedAt(long now) {
    ackedAt = now;
    return edited();
  }

  FollowingEdit retryAt(long at) {
    retryAt = at;
    return edited();
  }

  /** Once eligible is always eligible, so each step counts and not only where they lead. */
  private FollowingEdit edited() {
    eligible |= loaded && eligibleFrom >= 0 && storedNext >= eligibleFrom;
    return this;
  }
}
