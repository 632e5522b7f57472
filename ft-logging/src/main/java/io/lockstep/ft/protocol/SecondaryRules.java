package io.lockstep.ft.protocol;

import io.lockstep.ft.protocol.Role.ClaimingTakeover;
import io.lockstep.ft.protocol.Role.Following;
import io.lockstep.ft.protocol.Role.GoingLive;
import io.lockstep.ft.protocol.Role.Joining;
import io.lockstep.ft.protocol.Role.Receiving;
import io.lockstep.ft.protocol.Role.Solo;
import java.util.List;

/** What a secondary does in each of its roles. */
final class SecondaryRules {
  /** Between two acks that tell of nothing but replay. */
  private static final long REPLAY_ACK_NANOS = 3_000_000;

  private final PairConfig config;
  private final PrimaryRules primary;

  SecondaryRules(PairConfig config, PrimaryRules primary) {
    this.config = config;
    this.primary = primary;
  }

  // ---- Before the log ----

  Role joining(Joining s, long now, Event event, List<Effect> out) {
    return switch (event) {
      case Event.Connected(long conn) -> {
        out.add(new Effect.Send(conn, hello(0, 0)));
        yield new Joining(conn, Long.MAX_VALUE, now);
      }
      case Event.ConnectFailed(boolean refused) ->
          new Joining(0, now + config.timing().retry(), now);
      case Event.Tick() when s.conn() == 0 && now >= s.retryAt() -> {
        out.add(new Effect.Connect());
        yield new Joining(0, Long.MAX_VALUE, now);
      }
      case Event.Tick()
          when s.conn() != 0 && now - s.lastHeard() > config.timing().attachSilence() -> {
        out.add(new Effect.Close(s.conn()));
        yield new Joining(0, now, now);
      }
      case Event.LinkDown(long conn) when conn == s.conn() ->
          new Joining(0, now + config.timing().retry(), now);
      case Event.Received(long conn, Message.Refused(String why)) when conn == s.conn() ->
          PrimaryRules.end(out, Ending.NOT_ATTACHED, why);
      case Event.Received(long conn, Message.Welcome welcome)
          when conn == s.conn() && !welcome.resumed() -> {
        out.add(new Effect.Prepare(welcome));
        yield new Receiving(welcome.epoch(), conn, welcome.primary(), welcome.attachId(), now);
      }
      case Event.Finished(Ending ending, String why) -> PrimaryRules.end(out, ending, why);
      case Event.Tick e -> s;
      case Event.Link e -> s;
      case Event.Storage e -> s;
      case Event.PrimaryLocal e -> s;
      case Event.SecondaryLocal e -> s;
      case Event.Operator e -> s;
    };
  }

  Role receiving(Receiving s, long now, Event event, List<Effect> out) {
    return switch (event) {
      case Event.Received(long conn, Message message) when conn == s.conn() ->
          receive(s, now, message, out);
      case Event.LinkDown(long conn) when conn == s.conn() ->
          lostInAttach(out, "The primary was lost during the attach.");
      case Event.Tick() when now - s.lastHeard() > config.timing().attachSilence() ->
          lostInAttach(out, "The primary fell silent during the attach.");
      case Event.Tick() -> {
        // Only a heartbeat: nothing is stored yet.
        out.add(new Effect.Send(s.conn(), new Message.Ack(s.attachId(), 0, 0, 0)));
        yield s;
      }
      case Event.StateLoaded(long id, String trouble) when !trouble.isEmpty() ->
          resign(s.conn(), s.attachId(), Ending.NOT_ATTACHED, trouble, out);
      case Event.Finished(Ending ending, String why) -> PrimaryRules.end(out, ending, why);
      case Event.Link e -> s;
      case Event.Storage e -> s;
      case Event.PrimaryLocal e -> s;
      case Event.SecondaryLocal e -> s;
      case Event.Operator e -> s;
    };
  }

  private Role receive(Receiving s, long now, Message message, List<Effect> out) {
    Receiving heard = new Receiving(s.epoch(), s.conn(), s.primary(), s.attachId(), now);
    return switch (message) {
      case Message.Pages pages when pages.attachId() == s.attachId() -> {
        out.add(new Effect.ApplyPages(pages));
        yield heard;
      }
      case Message.Final state when state.attachId() == s.attachId() -> {
        out.add(new Effect.Load(state));
        long lsn = state.startLsn();
        yield new Following(
            s.epoch(),
            s.conn(),
            s.primary(),
            s.attachId(),
            lsn,
            lsn,
            false,
            false,
            -1,
            -1,
            0,
            now,
            now,
            now);
      }
      case Message.Bye(long id, String why) -> PrimaryRules.end(out, Ending.NOT_ATTACHED, why);
      case Message m -> heard;
    };
  }

  // ---- Following the log ----

  Role awake(Following s, long now) {
    return new Following(
        s.epoch(),
        s.conn(),
        s.primary(),
        s.attachId(),
        s.storedNext(),
        s.replayedNext(),
        s.loaded(),
        s.eligible(),
        s.eligibleFrom(),
        s.switchAt(),
        s.beat(),
        now,
        s.ackedAt(),
        s.conn() == 0 ? now : s.retryAt());
  }

  Role following(Following s, long now, Event event, List<Effect> out) {
    return switch (event) {
      case Event.Received(long conn, Message message) when conn == s.conn() && conn != 0 ->
          received(new FollowingEdit(s).heard(now), message, out);
      case Event.Stored(long id, long next, long replayedNext) when id == s.attachId() ->
          trySwitch(ack(new FollowingEdit(s).stored(next).replayed(replayedNext), now, out), out);
      case Event.Replayed(long id, long next) when id == s.attachId() ->
          replayed(s, next, now, out);
      case Event.StateLoaded(long id, String trouble) when id == s.attachId() ->
          loaded(s, trouble, out);
      case Event.StoreFailed(String why) ->
          resign(
              s.conn(),
              s.attachId(),
              Ending.STORE_FAILED,
              "The secondary cannot store the log: " + why,
              out);
      case Event.Diverged(String why) -> resign(s.conn(), s.attachId(), Ending.DIVERGED, why, out);
      case Event.LinkDown(long conn) when conn == s.conn() && conn != 0 -> linkDown(s, out);
      case Event.Connected(long conn) -> {
        out.add(new Effect.Send(conn, hello(s.attachId(), s.storedNext())));
        yield new FollowingEdit(s).conn(conn).retryAt(Long.MAX_VALUE).done();
      }
      case Event.ConnectFailed(boolean refused) when s.conn() == 0 ->
          refused
              ? takeOver(s, ClaimKind.ALONE, out)
              : new FollowingEdit(s).retryAt(now + config.timing().retry()).done();
      case Event.Tick() -> watch(s, now, out);
      case Event.EpochSeen(Epoch epoch, ReplicaId owner, ClaimKind kind)
          when epoch.compareTo(s.epoch()) > 0 && !owner.equals(config.self()) ->
          lost(epoch, owner, s.primary(), out);
      case Event.Finished(Ending ending, String why) ->
          resign(s.conn(), s.attachId(), ending, why, out);
      case Event.Link e -> s;
      case Event.Storage e -> s;
      case Event.PrimaryLocal e -> s;
      case Event.SecondaryLocal e -> s;
      case Event.Operator e -> s;
    };
  }

  private Role received(FollowingEdit edit, Message message, List<Effect> out) {
    Following s = edit.done();
    return switch (message) {
      case Message.LogBatch batch when batch.attachId() == s.attachId() -> {
        if (batch.firstLsn() == s.storedNext()) {
          out.add(new Effect.Append(batch));
        } else if (batch.firstLsn() > s.storedNext()) {
          yield gap(s, batch, out);
        }
        yield s;
      }
      case Message.Beat(long id, long beat, long releasedNext, long durableNext)
          when id == s.attachId() -> {
        out.add(new Effect.Trim(releasedNext, durableNext));
        FollowingEdit beaten = new FollowingEdit(s).beat(beat);
        yield ack(beaten, s.lastHeard(), out);
      }
      case Message.Protect(long id, long fromLsn) when id == s.attachId() ->
          new FollowingEdit(s).eligibleFrom(fromLsn).done();
      case Message.SwitchOver(long id, long finalNext) when id == s.attachId() -> {
        out.add(new Effect.ReplayToEnd(finalNext));
        yield trySwitch(new FollowingEdit(s).switchAt(finalNext).done(), out);
      }
      case Message.Bye(long id, String why) when id == s.attachId() ->
          PrimaryRules.end(out, Ending.DROPPED, why);
      case Message.Refused(String why) -> {
        // Whether it went on without us is for the storage to say, not for whoever answers there.
        out.add(new Effect.Close(s.conn()));
        yield takeOver(new FollowingEdit(s).conn(0).done(), ClaimKind.ALONE, out);
      }
      case Message m -> s;
    };
  }

  /**
   * Part of the stream is missing: with a sound connection that cannot be, so this one is given up
   * and the log resumed on another.
   */
  private Role gap(Following s, Message.LogBatch batch, List<Effect> out) {
    out.add(
        new Effect.Notice(
            "Log entries %d to %d are missing.".formatted(s.storedNext(), batch.firstLsn() - 1)));
    out.add(new Effect.Close(s.conn()));
    if (!s.eligible()) {
      return lostInAttach(out, "The log arrived with a gap during the attach.");
    }
    out.add(new Effect.Connect());
    return new FollowingEdit(s).conn(0).retryAt(Long.MAX_VALUE).done();
  }

  private Following ack(FollowingEdit edit, long now, List<Effect> out) {
    Following s = edit.ackedAt(now).done();
    if (s.conn() != 0) {
      out.add(
          new Effect.Send(
              s.conn(), new Message.Ack(s.attachId(), s.storedNext(), s.replayedNext(), s.beat())));
    }
    return s;
  }

  private Role replayed(Following s, long next, long now, List<Effect> out) {
    FollowingEdit edit = new FollowingEdit(s).replayed(next);
    Following after = now - s.ackedAt() >= REPLAY_ACK_NANOS ? ack(edit, now, out) : edit.done();
    return trySwitch(after, out);
  }

  private Role loaded(Following s, String trouble, List<Effect> out) {
    if (!trouble.isEmpty()) {
      return resign(s.conn(), s.attachId(), Ending.NOT_ATTACHED, trouble, out);
    }
    if (s.conn() != 0) {
      out.add(new Effect.Send(s.conn(), new Message.Attached(s.attachId())));
    }
    return new FollowingEdit(s).loaded().done();
  }

  private Role linkDown(Following s, List<Effect> out) {
    if (!s.eligible()) {
      return lostInAttach(out, "The primary was lost before this secondary was complete.");
    }
    out.add(new Effect.Connect());
    return new FollowingEdit(s).conn(0).retryAt(Long.MAX_VALUE).done();
  }

  private Role watch(Following s, long now, List<Effect> out) {
    Timing timing = config.timing();
    if (now - s.lastHeard() > (s.eligible() ? timing.suspect() : timing.attachSilence())) {
      if (!s.eligible()) {
        return lostInAttach(out, "The primary fell silent before this secondary was complete.");
      }
      if (s.conn() != 0) {
        out.add(new Effect.Close(s.conn()));
      }
      return takeOver(new FollowingEdit(s).conn(0).done(), ClaimKind.ALONE, out);
    }
    if (s.conn() == 0 && now >= s.retryAt()) {
      out.add(new Effect.Connect());
      return new FollowingEdit(s).retryAt(Long.MAX_VALUE).done();
    }
    return now - s.ackedAt() >= timing.beat() ? ack(new FollowingEdit(s), now, out) : s;
  }

  private Role trySwitch(Following s, List<Effect> out) {
    boolean there =
        s.switchAt() >= 0 && s.storedNext() == s.switchAt() && s.replayedNext() == s.switchAt();
    return there && s.eligible() ? takeOver(s, ClaimKind.SWITCH_OVER, out) : s;
  }

  // ---- Taking over ----

  private Role takeOver(Following s, ClaimKind kind, List<Effect> out) {
    if (!s.eligible()) {
      return lostInAttach(out, "The primary was lost before this secondary was complete.");
    }
    out.add(new Effect.Notice("Claiming epoch %d to take over.".formatted(s.epoch().number() + 1)));
    out.add(new Effect.Claim(s.epoch().next(), kind));
    return new ClaimingTakeover(
        s.epoch(), kind, s.conn(), s.primary(), s.storedNext(), s.replayedNext(), Long.MAX_VALUE);
  }

  Role claimingTakeover(ClaimingTakeover s, long now, Event event, List<Effect> out) {
    return switch (event) {
      case Event.ClaimAnswered(Epoch epoch, ClaimResult result)
          when epoch.equals(s.epoch().next()) ->
          switch (result) {
            case ClaimResult.Won() -> {
              out.add(new Effect.ReplayToEnd(s.storedNext()));
              yield goLive(
                  new GoingLive(
                      epoch,
                      s.kind(),
                      s.conn(),
                      s.primary(),
                      s.storedNext(),
                      s.replayedNext(),
                      false,
                      s.storedNext()),
                  out);
            }
            case ClaimResult.Lost(ReplicaId owner, ClaimKind kind) ->
                lost(epoch, owner, s.primary(), out);
            case ClaimResult.Unknown(String why) -> {
              out.add(PrimaryRules.waitingForStorage(why));
              yield with(s, s.conn(), s.replayedNext(), now + config.timing().retry());
            }
          };
      case Event.Tick() when now >= s.retryAt() -> {
        out.add(new Effect.Claim(s.epoch().next(), s.kind()));
        yield with(s, s.conn(), s.replayedNext(), Long.MAX_VALUE);
      }
      case Event.Replayed(long id, long next) ->
          with(s, s.conn(), Math.max(next, s.replayedNext()), s.retryAt());
      case Event.Diverged(String why) -> PrimaryRules.end(out, Ending.DIVERGED, why);
      case Event.EpochSeen(Epoch epoch, ReplicaId owner, ClaimKind kind)
          when epoch.compareTo(s.epoch()) > 0 && !owner.equals(config.self()) ->
          lost(epoch, owner, s.primary(), out);
      case Event.LinkDown(long conn) when conn == s.conn() ->
          with(s, 0, s.replayedNext(), s.retryAt());
      case Event.Connected(long conn) -> {
        out.add(new Effect.Close(conn));
        yield s;
      }
      case Event.Finished(Ending ending, String why) -> PrimaryRules.end(out, ending, why);
      case Event.Tick e -> s;
      case Event.Link e -> s;
      case Event.Storage e -> s;
      case Event.PrimaryLocal e -> s;
      case Event.SecondaryLocal e -> s;
      case Event.Operator e -> s;
    };
  }

  private static ClaimingTakeover with(ClaimingTakeover s, long conn, long replayed, long retryAt) {
    return new ClaimingTakeover(
        s.epoch(), s.kind(), conn, s.primary(), s.storedNext(), replayed, retryAt);
  }

  Role goingLive(GoingLive s, long now, Event event, List<Effect> out) {
    return switch (event) {
      case Event.Replayed(long id, long next) ->
          goLive(with(s, s.conn(), Math.max(next, s.replayedNext()), s.logEnd()), out);
      case Event.WentLive() -> live(s, now, out);
      case Event.LogGrew(long next) ->
          with(s, s.conn(), s.replayedNext(), Math.max(s.logEnd(), next));
      case Event.GoLiveFailed(String why) -> PrimaryRules.end(out, Ending.GO_LIVE_FAILED, why);
      case Event.Diverged(String why) -> PrimaryRules.end(out, Ending.DIVERGED, why);
      case Event.LinkDown(long conn) when conn == s.conn() ->
          with(s, 0, s.replayedNext(), s.logEnd());
      case Event.EpochSeen(Epoch epoch, ReplicaId owner, ClaimKind kind)
          when epoch.compareTo(s.epoch()) > 0 && !owner.equals(config.self()) ->
          lost(epoch, owner, s.primary(), out);
      case Event.Received(long conn, Message.Hello hello) -> {
        out.add(
            new Effect.Send(conn, new Message.Refused("The virtual machine is changing hosts.")));
        out.add(new Effect.Close(conn));
        yield s;
      }
      case Event.Finished(Ending ending, String why) -> PrimaryRules.end(out, ending, why);
      case Event.Tick e -> s;
      case Event.Link e -> s;
      case Event.Storage e -> s;
      case Event.PrimaryLocal e -> s;
      case Event.SecondaryLocal e -> s;
      case Event.Operator e -> s;
    };
  }

  private static GoingLive with(GoingLive s, long conn, long replayed, long logEnd) {
    return new GoingLive(
        s.epoch(), s.kind(), conn, s.primary(), s.storedNext(), replayed, s.asked(), logEnd);
  }

  private GoingLive goLive(GoingLive s, List<Effect> out) {
    if (s.asked() || s.replayedNext() < s.storedNext()) {
      return s;
    }
    long attachId = s.kind() == ClaimKind.SWITCH_OVER ? AttachIds.of(s.epoch(), 0) : 0;
    out.add(new Effect.GoLive(s.epoch(), attachId, s.storedNext()));
    return new GoingLive(
        s.epoch(),
        s.kind(),
        s.conn(),
        s.primary(),
        s.storedNext(),
        s.replayedNext(),
        true,
        s.logEnd());
  }

  private Role live(GoingLive s, long now, List<Effect> out) {
    out.add(new Effect.Notice("Live as the primary under epoch %d.".formatted(s.epoch().number())));
    if (s.kind() == ClaimKind.SWITCH_OVER) {
      return primary.tookOver(
          s.epoch(), s.conn(), s.primary(), s.storedNext(), s.logEnd(), now, out);
    }
    if (s.conn() != 0) {
      out.add(new Effect.Close(s.conn()));
    }
    return new Solo(s.epoch(), 0);
  }

  // ---- Common ----

  private Message.Hello hello(long attachId, long storedNext) {
    return new Message.Hello(
        MessageCodec.VERSION,
        config.vm(),
        config.definition(),
        config.self(),
        attachId,
        storedNext,
        config.listen());
  }

  private static Role lostInAttach(List<Effect> out, String why) {
    return PrimaryRules.end(out, Ending.NOT_ATTACHED, why);
  }

  private static Role lost(Epoch epoch, ReplicaId owner, ReplicaId primary, List<Effect> out) {
    return owner.equals(primary)
        ? PrimaryRules.end(
            out,
            Ending.DROPPED,
            "The primary went on alone (epoch %d): this secondary has ended."
                .formatted(epoch.number()))
        : PrimaryRules.end(
            out,
            Ending.FENCED,
            "Another process owns this virtual machine now (epoch %d).".formatted(epoch.number()));
  }

  private static Role resign(
      long conn, long attachId, Ending ending, String why, List<Effect> out) {
    if (conn != 0) {
      out.add(new Effect.Send(conn, new Message.Resign(attachId, why)));
    }
    return PrimaryRules.end(out, ending, why);
  }
}
