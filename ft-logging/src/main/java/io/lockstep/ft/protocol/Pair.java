package io.lockstep.ft.protocol;

import io.lockstep.ft.protocol.Role.CatchingUp;
import io.lockstep.ft.protocol.Role.ClaimingAlone;
import io.lockstep.ft.protocol.Role.ClaimingTakeover;
import io.lockstep.ft.protocol.Role.Copying;
import io.lockstep.ft.protocol.Role.Following;
import io.lockstep.ft.protocol.Role.GoingLive;
import io.lockstep.ft.protocol.Role.HandingOver;
import io.lockstep.ft.protocol.Role.Joining;
import io.lockstep.ft.protocol.Role.Protected;
import io.lockstep.ft.protocol.Role.Receiving;
import io.lockstep.ft.protocol.Role.Solo;
import io.lockstep.ft.protocol.Role.Starting;
import io.lockstep.ft.protocol.Role.Stopped;
import java.util.ArrayList;
import java.util.List;

/**
 * The pair protocol. Has no state of its own: every answer depends on the arguments and the
 * configuration alone.
 */
public final class Pair {
  private final PairConfig config;
  private final PrimaryRules primary;
  private final SecondaryRules secondary;

  /** The rules for the replica that {@code config} describes. */
  public Pair(PairConfig config) {
    this.config = config;
    this.primary = new PrimaryRules(config);
    this.secondary = new SecondaryRules(config, primary);
  }

  /** What follows an event: the new state, and what to do, in order. */
  public record Step(PairState state, List<Effect> effects) {}

  /**
   * A replica that starts a virtual machine.
   *
   * @param newest the newest epoch on the storage
   * @param now nanoseconds of this process's monotonic clock, as in every later step
   */
  public Step start(Epoch newest, long now) {
    Epoch first = newest.next();
    return new Step(
        new PairState(new Starting(first, Long.MAX_VALUE), now),
        List.of(new Effect.Claim(first, ClaimKind.START)));
  }

  /** A replica that looks for a primary. */
  public Step join(long now) {
    return new Step(
        new PairState(new Joining(0, Long.MAX_VALUE, now), now), List.of(new Effect.Connect()));
  }

  /**
   * Handles one event. {@code now} may be late but does not decrease; if it does, it is taken as
   * unchanged.
   */
  public Step step(PairState state, long now, Event event) {
    long at = Math.max(now, state.at());
    List<Effect> out = new ArrayList<>(4);
    Role role = state.role();
    long gap = at - state.at();
    // A process that was stopped must not blame the other side for the silence, nor believe what it
    // knew.
    if (gap > config.timing().suspect() / 2) {
      role = awake(role, at, out);
    }
    return new Step(new PairState(dispatch(role, at, event, out), at), out);
  }

  private Role awake(Role role, long now, List<Effect> out) {
    return switch (role) {
      case Protected s -> primary.awake(s, now, out);
      case Copying s -> primary.with(s, s.peer().heard(now));
      case CatchingUp s -> primary.with(s, s.peer().heard(now), s.window());
      case HandingOver s -> primary.with(s, s.peer().heard(now), s.window());
      case Following s -> secondary.awake(s, now);
      case Receiving s -> new Receiving(s.epoch(), s.conn(), s.primary(), s.attachId(), now);
      case Joining s -> new Joining(s.conn(), s.retryAt(), now);
      case Starting s -> s;
      case Solo s -> s;
      case ClaimingAlone s -> s;
      case ClaimingTakeover s -> s;
      case GoingLive s -> s;
      case Stopped s -> s;
    };
  }

  private Role dispatch(Role role, long now, Event event, List<Effect> out) {
    return switch (role) {
      case Starting s -> primary.starting(s, now, event, out);
      case Solo s -> primary.solo(s, now, event, out);
      case Copying s -> primary.copying(s, now, event, out);
      case CatchingUp s -> primary.catchingUp(s, now, event, out);
      case Protected s -> primary.protecting(s, now, event, out);
      case ClaimingAlone s -> primary.claimingAlone(s, now, event, out);
      case HandingOver s -> primary.handingOver(s, now, event, out);
      case Joining s -> secondary.joining(s, now, event, out);
      case Receiving s -> secondary.receiving(s, now, event, out);
      case Following s -> secondary.following(s, now, event, out);
      case ClaimingTakeover s -> secondary.claimingTakeover(s, now, event, out);
      case GoingLive s -> secondary.goingLive(s, now, event, out);
      case Stopped s -> s;
    };
  }
}
