package io.lockstep.ft.protocol;

/**
 * What an operator may want to know of a {@link PairState}.
 *
 * @param role class of the role
 * @param epoch owned or followed, 0 for none
 * @param lagNanos how long ago the oldest entry was written that the secondary has not replayed;
 *     known to the primary only
 * @param lagEntries how many entries the secondary has not replayed
 * @param throttle share of the time that the vCPU stands still
 * @param logNext end of the log
 * @param isProtected whether a secondary could take over now
 */
public record StatusView(
    Class<? extends Role> role,
    long epoch,
    long lagNanos,
    long lagEntries,
    double throttle,
    long logNext,
    boolean isProtected) {

  /** The view of a state. */
  public static StatusView of(PairState state) {
    return switch (state.role()) {
      case Role.Starting s -> plain(s, 0);
      case Role.Solo s -> plain(s, s.epoch().number());
      case Role.Copying s -> plain(s, s.epoch().number());
      case Role.CatchingUp s -> logging(s, s.window(), false);
      case Role.Protected s -> logging(s, s.window(), s.peer().isUp());
      case Role.ClaimingAlone s -> logging(s, s.window(), false);
      case Role.HandingOver s -> logging(s, s.window(), s.peer().isUp());
      case Role.Joining s -> plain(s, 0);
      case Role.Receiving s -> plain(s, s.epoch().number());
      case Role.Following s ->
          following(s, s.epoch(), s.storedNext(), s.replayedNext(), s.eligible());
      case Role.ClaimingTakeover s ->
          following(s, s.epoch(), s.storedNext(), s.replayedNext(), false);
      case Role.GoingLive s -> following(s, s.epoch(), s.storedNext(), s.replayedNext(), false);
      case Role.Stopped s -> plain(s, 0);
    };
  }

  private static StatusView plain(Role role, long epoch) {
    return new StatusView(role.getClass(), epoch, 0, 0, 0, 0, false);
  }

  private static StatusView logging(Role.Primary role, Window w, boolean isProtected) {
    return new StatusView(
        role.getClass(),
        role.epoch().number(),
        w.gear().lag(),
        w.end() - w.replayed(),
        w.gear().throttle(),
        w.end(),
        isProtected);
  }

  private static StatusView following(
      Role role, Epoch epoch, long stored, long replayed, boolean eligible) {
    return new StatusView(
        role.getClass(), epoch.number(), 0, stored - replayed, 0, stored, eligible);
  }
}
