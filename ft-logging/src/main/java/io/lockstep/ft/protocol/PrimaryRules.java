package io.lockstep.ft.protocol;

import io.lockstep.ft.protocol.Role.CatchingUp;
import io.lockstep.ft.protocol.Role.ClaimingAlone;
import io.lockstep.ft.protocol.Role.Copying;
import io.lockstep.ft.protocol.Role.Following;
import io.lockstep.ft.protocol.Role.HandingOver;
import io.lockstep.ft.protocol.Role.Protected;
import io.lockstep.ft.protocol.Role.Solo;
import io.lockstep.ft.protocol.Role.Starting;
import io.lockstep.ft.protocol.Role.Stopped;
import java.util.List;

/** What a primary does in each of its roles. */
final class PrimaryRules {
  /**
   * Entries on their way at once: what is not acked beyond that stays with the primary, whose gears
   * then see it as lag.
   */
  static final long IN_FLIGHT_MAX = 1 << 16;

  /** So few pages are copied during the final stop: 2 MiB, a few milliseconds. */
  static final int FINAL_PAGES = 512;

  /** After so many rounds the final stop is made however many pages are left. */
  static final int ROUNDS_MAX = 14;

  /** From this round on the guest is slowed, so that it dirties less than is copied. */
  private static final int ROUNDS_FREE = 4;

  private static final double ROUND_THROTTLE_STEP = 0.15;
  private static final double ROUND_THROTTLE_MAX = 0.9;

  private final PairConfig config;

  PrimaryRules(PairConfig config) {
    this.config = config;
  }

  // ---- Before there is a pair ----

  Role starting(Starting s, long now, Event event, List<Effect> out) {
    return switch (event) {
      case Event.ClaimAnswered(Epoch epoch, ClaimResult result) when epoch.equals(s.claimed()) ->
          switch (result) {
            case ClaimResult.Won() -> {
              out.add(new Effect.Unprotect(epoch));
              out.add(new Effect.Resume());
              yield new Solo(epoch, 0);
            }
            case ClaimResult.Lost lost ->
                end(
                    out,
                    Ending.FENCED,
                    "Another process started this virtual machine at the same time (epoch %d)."
                        .formatted(epoch.number()));
            case ClaimResult.Unknown(String why) -> {
              out.add(waitingForStorage(why));
              yield new Starting(epoch, now + config.timing().retry());
            }
          };
      case Event.Tick() when now >= s.retryAt() -> {
        out.add(new Effect.Claim(s.claimed(), ClaimKind.START));
        yield new Starting(s.claimed(), Long.MAX_VALUE);
      }
      case Event.Finished(Ending ending, String why) -> end(out, ending, why);
      case Event.Received(long conn, Message.Hello hello) -> {
        // In a moment, perhaps: who joins tries again.
        out.add(new Effect.Close(conn));
        yield s;
      }
      case Event.Tick t -> s;
      case Event.Link e -> s;
      case Event.Storage e -> s;
      case Event.PrimaryLocal e -> s;
      case Event.SecondaryLocal e -> s;
      case Event.Operator e -> s;
    };
  }

  Role solo(Solo s, long now, Event event, List<Effect> out) {
    return switch (event) {
      case Event.Received(long conn, Message.Hello hello) -> admit(s, conn, hello, now, out);
      case Event.EpochSeen seen when isNewer(seen, s.epoch()) -> fenced(seen, out);
      case Event.Finished(Ending ending, String why) -> end(out, ending, why);
      case Event.SwitchOverAsked() -> {
        out.add(new Effect.Notice("There is no secondary to switch over to."));
        yield s;
      }
      case Event.DetachAsked() -> s;
      case Event.Tick e -> s;
      case Event.Link e -> s;
      case Event.Storage e -> s;
      case Event.PrimaryLocal e -> s;
      case Event.SecondaryLocal e -> s;
    };
  }

  private Role admit(Solo s, long conn, Message.Hello hello, long now, List<Effect> out) {
    String refusal = Admission.refusal(config, hello);
    if (refusal.isEmpty() && hello.attachId() != 0) {
      refusal = "The primary went on alone: join anew.";
    }
    if (!refusal.isEmpty()) {
      refuse(conn, refusal, out);
      return s;
    }
    int attaches = s.attaches() + 1;
    long attachId = AttachIds.of(s.epoch(), attaches);
    out.add(new Effect.BeginCopy(conn, attachId, s.epoch()));
    return new Copying(
        s.epoch(),
        attaches,
        new Peer(conn, hello.replica(), attachId, now, 0, 0, now),
        false,
        false);
  }

  // ---- Attach: unprotected, so it can be given up at any time ----

  Role copying(Copying s, long now, Event event, List<Effect> out) {
    long attachId = s.peer().attachId();
    return switch (event) {
      case Event.RoundCopied(long id, int round, int dirty)
          when id == attachId && !s.finalAsked() -> {
        boolean last = dirty <= FINAL_PAGES || round >= ROUNDS_MAX;
        if (!last && round >= ROUNDS_FREE) {
          out.add(
              new Effect.Throttle(
                  Math.min(ROUND_THROTTLE_MAX, (round - ROUNDS_FREE + 1) * ROUND_THROTTLE_STEP)));
        }
        out.add(last ? new Effect.FinalStop(id) : new Effect.CopyRound(id, round + 1));
        yield new Copying(s.epoch(), s.attaches(), s.peer(), last, false);
      }
      case Event.FinalDone(long id, long startLsn) when id == attachId -> {
        out.add(new Effect.Throttle(0));
        Window window = Window.startingAt(startLsn, Window.DURABLE_UNKNOWN);
        yield new CatchingUp(
            s.epoch(), s.attaches(), s.peer(), window, startLsn, s.attached(), false);
      }
      case Event.LinkDown(long conn) when s.peer().isOn(conn) ->
          giveUp(s, s.peer(), "its connection broke", out);
      case Event.Received(long conn, Message.Resign(long id, String why))
          when s.peer().isOn(conn) ->
          giveUp(s, s.peer(), why, out);
      case Event.Received(long conn, Message.Attached(long id))
          when s.peer().isOn(conn) && id == attachId ->
          new Copying(s.epoch(), s.attaches(), s.peer().heard(now), s.finalAsked(), true);
      case Event.Received(long conn, Message message) when s.peer().isOn(conn) ->
          with(s, s.peer().heard(now));
      case Event.Received(long conn, Message.Hello hello) -> {
        refuse(conn, "A secondary is being attached already.", out);
        yield s;
      }
      case Event.Tick() when now - s.peer().lastHeard() > config.timing().attachSilence() ->
          giveUp(s, s.peer(), "it fell silent", out);
      case Event.Tick() -> with(s, beat(s.peer(), now, 0, 0, out));
      case Event.DetachAsked() -> giveUp(s, s.peer(), "the operator asked for it", out);
      case Event.Operator e -> unprotectedOperator(s, e, out);
      case Event.EpochSeen seen when isNewer(seen, s.epoch()) -> fenced(seen, out);
      case Event.Link e -> s;
      case Event.Storage e -> s;
      case Event.PrimaryLocal e -> s;
      case Event.SecondaryLocal e -> s;
    };
  }

  Copying with(Copying s, Peer peer) {
    return new Copying(s.epoch(), s.attaches(), peer, s.finalAsked(), s.attached());
  }

  Role catchingUp(CatchingUp s, long now, Event event, List<Effect> out) {
    Peer peer = s.peer();
    long attachId = peer.attachId();
    return switch (event) {
      // Unprotected, so what has a mark has left.
      case Event.LogGrew(long next) ->
          with(s, peer, stream(peer, s.window().grown(now, next).releasedTo(next), out));
      case Event.Received(long conn, Message.Ack ack)
          when peer.isOn(conn) && ack.attachId() == attachId ->
          readyToHold(with(s, peer.heard(now), acked(peer, s.window(), ack, now, out)), out);
      case Event.Received(long conn, Message.Attached(long id))
          when peer.isOn(conn) && id == attachId ->
          readyToHold(
              new CatchingUp(
                  s.epoch(),
                  s.attaches(),
                  peer.heard(now),
                  s.window(),
                  s.startLsn(),
                  true,
                  s.holdAsked()),
              out);
      case Event.DiskDurable(long next) ->
          readyToHold(with(s, peer, s.window().durableTo(next)), out);
      case Event.Holding(long from) when s.holdAsked() -> protect(s, from, now, out);
      case Event.LinkDown(long conn) when peer.isOn(conn) ->
          giveUp(s, peer, "its connection broke", out);
      case Event.Received(long conn, Message.Resign(long id, String why)) when peer.isOn(conn) ->
          giveUp(s, peer, why, out);
      case Event.Received(long conn, Message message) when peer.isOn(conn) ->
          with(s, peer.heard(now), s.window());
      case Event.Received(long conn, Message.Hello hello) -> {
        refuse(conn, "A secondary is being attached already.", out);
        yield s;
      }
      case Event.Tick() when now - peer.lastHeard() > config.timing().attachSilence() ->
          giveUp(s, peer, "it fell silent", out);
      case Event.Tick() -> {
        Window window = geared(s.window(), now, out);
        yield window.gear().hopeless(now, config.timing())
            ? giveUp(s, peer, "it is too slow to catch up", out)
            : with(s, beat(peer, now, window.released(), window.durable(), out), window);
      }
      case Event.DetachAsked() -> giveUp(s, peer, "the operator asked for it", out);
      case Event.Operator e -> unprotectedOperator(s, e, out);
      case Event.EpochSeen seen when isNewer(seen, s.epoch()) -> fenced(seen, out);
      case Event.Link e -> s;
      case Event.Storage e -> s;
      case Event.PrimaryLocal e -> s;
      case Event.SecondaryLocal e -> s;
    };
  }

  CatchingUp with(CatchingUp s, Peer peer, Window window) {
    return new CatchingUp(
        s.epoch(), s.attaches(), peer, window, s.startLsn(), s.attached(), s.holdAsked());
  }

  /**
   * Outputs are held only once the secondary could make use of it: loaded, close behind, and the
   * disk it would open is complete.
   */
  private CatchingUp readyToHold(CatchingUp s, List<Effect> out) {
    Window w = s.window();
    boolean ready =
        s.attached() && w.durable() >= s.startLsn() && w.gear().lag() <= config.timing().lagHigh();
    if (s.holdAsked() || !ready) {
      return s;
    }
    out.add(new Effect.BeginHold());
    return new CatchingUp(s.epoch(), s.attaches(), s.peer(), w, s.startLsn(), true, true);
  }

  private Protected protect(CatchingUp s, long from, long now, List<Effect> out) {
    Window window = stream(s.peer(), s.window().grown(now, from), out).releasedTo(from);
    out.add(new Effect.Send(s.peer().conn(), new Message.Protect(s.peer().attachId(), from)));
    out.add(new Effect.Notice("Protected: the secondary follows."));
    return new Protected(s.epoch(), s.attaches(), s.peer(), window, 0);
  }

  private Role giveUp(Role.Primary s, Peer peer, String why, List<Effect> out) {
    out.add(
        new Effect.Send(
            peer.conn(),
            new Message.Bye(peer.attachId(), "The primary gave up the attach: " + why + ".")));
    out.add(new Effect.Notice("The secondary is gone: " + why + "."));
    return alone(s.epoch(), attachesOf(s), peer, out);
  }

  private static int attachesOf(Role.Primary role) {
    return switch (role) {
      case Solo s -> s.attaches();
      case Copying s -> s.attaches();
      case CatchingUp s -> s.attaches();
      case Protected s -> s.attaches();
      case ClaimingAlone s -> s.attaches();
      case HandingOver s -> s.attaches();
    };
  }

  private Role unprotectedOperator(Role.Primary s, Event.Operator event, List<Effect> out) {
    return switch (event) {
      case Event.Finished(Ending ending, String why) -> end(out, ending, why);
      case Event.SwitchOverAsked() -> {
        out.add(new Effect.Notice("The secondary is still being attached: try again when it is."));
        yield s;
      }
      case Event.DetachAsked() -> s;
    };
  }

  // ---- Protected ----

  Role awake(Protected s, long now, List<Effect> out) {
    Peer peer =
        new Peer(
            s.peer().conn(),
            s.peer().replica(),
            s.peer().attachId(),
            now,
            now,
            s.peer().beat() + 1,
            now);
    sendBeat(peer, s.window().released(), s.window().durable(), out);
    return new Protected(s.epoch(), s.attaches(), peer, s.window(), peer.beat());
  }

  Role protecting(Protected s, long now, Event event, List<Effect> out) {
    Peer peer = s.peer();
    return switch (event) {
      case Event.LogGrew(long next) ->
          with(s, peer, stream(peer, s.window().grown(now, next), out));
      case Event.Received(long conn, Message.Ack ack)
          when peer.isOn(conn) && ack.attachId() == peer.attachId() -> {
        long verify = ack.beat() >= s.verifyBeat() ? 0 : s.verifyBeat();
        Window window = acked(peer, s.window(), ack, now, out);
        yield new Protected(
            s.epoch(),
            s.attaches(),
            peer.heard(now),
            verify == 0 ? release(window, out) : window,
            verify);
      }
      case Event.Received(long conn, Message.Resign(long id, String why))
          when peer.isOn(conn) && id == peer.attachId() -> {
        out.add(new Effect.Notice("The secondary resigned: " + why));
        yield alone(s.epoch(), s.attaches(), peer, out);
      }
      case Event.Received(long conn, Message.Hello hello) -> resume(s, conn, hello, now, out);
      case Event.Received(long conn, Message message) when peer.isOn(conn) ->
          with(s, peer.heard(now), s.window());
      case Event.LinkDown(long conn) when peer.isOn(conn) -> with(s, peer.down(now), s.window());
      case Event.Tick() -> watch(s, now, out);
      case Event.DiskDurable(long next) -> with(s, peer, s.window().durableTo(next));
      case Event.DetachAsked() ->
          claimAlone(
              s.epoch(),
              s.attaches(),
              peer,
              s.window(),
              "the operator detached it",
              -1,
              false,
              out);
      case Event.SwitchOverAsked() -> {
        out.add(new Effect.Quiesce());
        yield new HandingOver(
            s.epoch(),
            s.attaches(),
            peer,
            s.window(),
            -1,
            false,
            now + config.timing().switchOver());
      }
      case Event.Finished(Ending ending, String why) -> {
        out.add(new Effect.Send(peer.conn(), new Message.Bye(peer.attachId(), why)));
        yield end(out, ending, why);
      }
      case Event.EpochSeen seen when isNewer(seen, s.epoch()) -> fenced(seen, out);
      case Event.Link e -> s;
      case Event.Storage e -> s;
      case Event.PrimaryLocal e -> s;
      case Event.SecondaryLocal e -> s;
    };
  }

  private Protected with(Protected s, Peer peer, Window window) {
    return new Protected(s.epoch(), s.attaches(), peer, window, s.verifyBeat());
  }

  private Role watch(Protected s, long now, List<Effect> out) {
    Peer peer = s.peer();
    Timing timing = config.timing();
    Window window = geared(s.window(), now, out);
    if (!peer.isUp() && now - peer.downSince() > timing.grace()) {
      return claimAlone(
          s.epoch(), s.attaches(), peer, window, "its connection broke", -1, false, out);
    }
    if (now - peer.lastHeard() > timing.suspect()) {
      return claimAlone(s.epoch(), s.attaches(), peer, window, "it fell silent", -1, false, out);
    }
    if (window.gear().hopeless(now, timing)) {
      return claimAlone(s.epoch(), s.attaches(), peer, window, "it is too slow", -1, false, out);
    }
    return with(s, beat(peer, now, window.released(), window.durable(), out), window);
  }

  private Role resume(Protected s, long conn, Message.Hello hello, long now, List<Effect> out) {
    Peer peer = s.peer();
    boolean known = hello.replica().equals(peer.replica()) && hello.attachId() == peer.attachId();
    Window w = s.window();
    if (!known || hello.storedNext() < w.acked() || hello.storedNext() > w.sent()) {
      String refusal = Admission.refusal(config, hello);
      refuse(
          conn, refusal.isEmpty() ? "The virtual machine has a secondary already." : refusal, out);
      return s;
    }
    if (peer.isUp() && !peer.isOn(conn)) {
      out.add(new Effect.Close(peer.conn()));
    }
    Peer back = peer.up(conn, now);
    out.add(
        new Effect.Send(
            conn,
            new Message.Welcome(
                config.vm(),
                config.self(),
                s.epoch(),
                peer.attachId(),
                true,
                config.listen(),
                new byte[0])));
    Window window = stream(back, w.resumedAt(hello.storedNext()), out);
    return with(s, back, s.verifyBeat() == 0 ? release(window, out) : window);
  }

  // ---- Alone again: only with the next epoch, because the secondary could claim it too ----

  private ClaimingAlone claimAlone(
      Epoch epoch,
      int attaches,
      Peer peer,
      Window window,
      String why,
      long finalNext,
      boolean quiesced,
      List<Effect> out) {
    out.add(
        new Effect.Notice(
            "Claiming epoch %d to go on without the secondary: %s."
                .formatted(epoch.number() + 1, why)));
    out.add(new Effect.Claim(epoch.next(), ClaimKind.ALONE));
    return new ClaimingAlone(
        epoch, attaches, peer, window, why, finalNext, quiesced, Long.MAX_VALUE);
  }

  Role claimingAlone(ClaimingAlone s, long now, Event event, List<Effect> out) {
    Peer peer = s.peer();
    return switch (event) {
      case Event.ClaimAnswered(Epoch epoch, ClaimResult result)
          when epoch.equals(s.epoch().next()) ->
          switch (result) {
            case ClaimResult.Won() -> wonAlone(s, epoch, out);
            case ClaimResult.Lost(ReplicaId owner, ClaimKind kind) ->
                lostAlone(s, owner, kind, now, out);
            case ClaimResult.Unknown(String why) -> {
              out.add(waitingForStorage(why));
              yield retryAt(s, now + config.timing().retry());
            }
          };
      case Event.EpochSeen(Epoch epoch, ReplicaId owner, ClaimKind kind)
          when isNewer(new Event.EpochSeen(epoch, owner, kind), s.epoch()) ->
          epoch.equals(s.epoch().next())
              ? lostAlone(s, owner, kind, now, out)
              : fenced(new Event.EpochSeen(epoch, owner, kind), out);
      case Event.Tick() when now >= s.retryAt() -> {
        out.add(new Effect.Claim(s.epoch().next(), ClaimKind.ALONE));
        yield retryAt(s, Long.MAX_VALUE);
      }
      case Event.LinkDown(long conn) when peer.isOn(conn) -> with(s, peer.down(now), s.window());
      case Event.LogGrew(long next) -> with(s, peer, s.window().grown(now, next));
      case Event.Finished(Ending ending, String why) -> end(out, ending, why);
      case Event.Received(long conn, Message.Hello hello) -> {
        // Neither side may go back once a claim is out: it can succeed at any time.
        refuseNow(conn, hello, "The primary is about to go on alone.", out);
        yield s;
      }
      case Event.Tick e -> s;
      case Event.Link e -> s;
      case Event.Storage e -> s;
      case Event.PrimaryLocal e -> s;
      case Event.SecondaryLocal e -> s;
      case Event.Operator e -> s;
    };
  }

  /** Nobody may go on without knowing whose the epoch is, so the guest stands for as long. */
  static Effect waitingForStorage(String why) {
    return new Effect.Notice("Waiting for the shared storage: " + why);
  }

  private ClaimingAlone with(ClaimingAlone s, Peer peer, Window window) {
    return new ClaimingAlone(
        s.epoch(), s.attaches(), peer, window, s.why(), s.finalNext(), s.quiesced(), s.retryAt());
  }

  private ClaimingAlone retryAt(ClaimingAlone s, long at) {
    return new ClaimingAlone(
        s.epoch(), s.attaches(), s.peer(), s.window(), s.why(), s.finalNext(), s.quiesced(), at);
  }

  private Role wonAlone(ClaimingAlone s, Epoch epoch, List<Effect> out) {
    out.add(
        new Effect.Send(
            s.peer().conn(),
            new Message.Bye(s.peer().attachId(), "The primary went on alone: " + s.why() + ".")));
    Role solo = alone(epoch, 0, s.peer(), out);
    if (s.quiesced()) {
      out.add(new Effect.Resume());
    }
    return solo;
  }

  private Role lostAlone(
      ClaimingAlone s, ReplicaId owner, ClaimKind kind, long now, List<Effect> out) {
    if (s.finalNext() >= 0 && kind == ClaimKind.SWITCH_OVER && owner.equals(s.peer().replica())) {
      return follow(s.epoch().next(), s.peer(), s.finalNext(), now, out);
    }
    return fenced(new Event.EpochSeen(s.epoch().next(), owner, kind), out);
  }

  // ---- Planned switch-over ----

  Role handingOver(HandingOver s, long now, Event event, List<Effect> out) {
    Peer peer = s.peer();
    return switch (event) {
      case Event.LogGrew(long next) ->
          with(s, peer, stream(peer, s.window().grown(now, next), out));
      case Event.Quiesced(long next) -> {
        Window window = stream(peer, s.window().grown(now, next), out).durableTo(next);
        yield offer(
            new HandingOver(s.epoch(), s.attaches(), peer, window, next, false, s.deadline()), out);
      }
      case Event.Received(long conn, Message.Ack ack)
          when peer.isOn(conn) && ack.attachId() == peer.attachId() ->
          offer(
              with(s, peer.heard(now), release(acked(peer, s.window(), ack, now, out), out)), out);
      case Event.Received(long conn, Message.TookOver(long id, Epoch epoch, long finalNext))
          when peer.isOn(conn) && s.offered() && epoch.equals(s.epoch().next()) ->
          follow(epoch, peer, s.finalNext(), now, out);
      case Event.Received(long conn, Message.Resign(long id, String why))
          when peer.isOn(conn) && id == peer.attachId() -> {
        out.add(new Effect.Notice("The secondary resigned: " + why));
        Role solo = alone(s.epoch(), s.attaches(), peer, out);
        out.add(new Effect.Resume());
        yield solo;
      }
      case Event.Received(long conn, Message.Hello hello) -> {
        refuseNow(conn, hello, "The virtual machine is being switched over.", out);
        yield s;
      }
      case Event.Received(long conn, Message message) when peer.isOn(conn) ->
          with(s, peer.heard(now), s.window());
      case Event.LinkDown(long conn) when peer.isOn(conn) ->
          claimAlone(
              s.epoch(),
              s.attaches(),
              peer.down(now),
              s.window(),
              "its connection broke",
              offeredAt(s),
              true,
              out);
      case Event.Tick()
          when now > s.deadline() || now - peer.lastHeard() > config.timing().suspect() ->
          claimAlone(
              s.epoch(),
              s.attaches(),
              peer,
              s.window(),
              "it did not take over in time",
              offeredAt(s),
              true,
              out);
      case Event.Tick() ->
          with(s, beat(peer, now, s.window().released(), s.window().durable(), out), s.window());
      case Event.EpochSeen(Epoch epoch, ReplicaId owner, ClaimKind kind)
          when isNewer(new Event.EpochSeen(epoch, owner, kind), s.epoch()) -> {
        boolean planned =
            s.offered() && kind == ClaimKind.SWITCH_OVER && owner.equals(peer.replica());
        yield planned && epoch.equals(s.epoch().next())
            ? s
            : fenced(new Event.EpochSeen(epoch, owner, kind), out);
      }
      case Event.Finished(Ending ending, String why) -> end(out, ending, why);
      case Event.Link e -> s;
      case Event.Storage e -> s;
      case Event.PrimaryLocal e -> s;
      case Event.SecondaryLocal e -> s;
      case Event.Operator e -> s;
    };
  }

  HandingOver with(HandingOver s, Peer peer, Window window) {
    return new HandingOver(
        s.epoch(), s.attaches(), peer, window, s.finalNext(), s.offered(), s.deadline());
  }

  private static long offeredAt(HandingOver s) {
    return s.offered() ? s.finalNext() : -1;
  }

  /**
   * The place is offered when the secondary has all of the log; from then on this side acts only if
   * it wins the next epoch.
   */
  private HandingOver offer(HandingOver s, List<Effect> out) {
    if (s.offered() || s.finalNext() < 0 || s.window().acked() < s.finalNext()) {
      return s;
    }
    out.add(
        new Effect.Send(
            s.peer().conn(), new Message.SwitchOver(s.peer().attachId(), s.finalNext())));
    return new HandingOver(
        s.epoch(), s.attaches(), s.peer(), s.window(), s.finalNext(), true, s.deadline());
  }

  private Following follow(Epoch epoch, Peer peer, long finalNext, long now, List<Effect> out) {
    long attachId = AttachIds.of(epoch, 0);
    out.add(new Effect.Follow(epoch, attachId, finalNext));
    out.add(new Effect.Notice("Switched over: this side is the secondary now."));
    return new Following(
        epoch,
        peer.conn(),
        peer.replica(),
        attachId,
        finalNext,
        finalNext,
        true,
        true,
        finalNext,
        -1,
        0,
        now,
        now,
        now);
  }

  /** The other end of {@link #follow}: the new primary, protected from its first step on. */
  Protected tookOver(
      Epoch epoch,
      long conn,
      ReplicaId oldPrimary,
      long finalNext,
      long logEnd,
      long now,
      List<Effect> out) {
    long attachId = AttachIds.of(epoch, 0);
    Peer peer = new Peer(conn, oldPrimary, attachId, now, now, 0, now);
    out.add(new Effect.Send(conn, new Message.TookOver(attachId, epoch, finalNext)));
    Window window = Window.startingAt(finalNext, finalNext).grown(now, logEnd);
    return new Protected(epoch, 0, peer, stream(peer, window, out), 0);
  }

  // ---- Common ----

  private Solo alone(Epoch epoch, int attaches, Peer peer, List<Effect> out) {
    if (peer.isUp()) {
      out.add(new Effect.Close(peer.conn()));
    }
    out.add(new Effect.EndAttach(peer.attachId()));
    out.add(new Effect.Throttle(0));
    out.add(new Effect.Unprotect(epoch));
    return new Solo(epoch, attaches);
  }

  private Window stream(Peer peer, Window w, List<Effect> out) {
    long to = Math.min(w.end(), w.acked() + IN_FLIGHT_MAX);
    if (!peer.isUp() || to <= w.sent()) {
      return w;
    }
    out.add(new Effect.StreamLog(peer.conn(), peer.attachId(), w.sent(), to, w.released()));
    return w.sentTo(to);
  }

  private Window acked(Peer peer, Window w, Message.Ack ack, long now, List<Effect> out) {
    Window after = geared(w.acked(ack.storedNext(), ack.replayedNext()), now, out);
    if (after.acked() > w.acked()) {
      out.add(new Effect.ForgetLog(after.acked()));
    }
    return stream(peer, after, out);
  }

  private Window geared(Window w, long now, List<Effect> out) {
    Window after = w.geared(now, config.timing());
    if (after.gear().throttle() != w.gear().throttle()) {
      out.add(new Effect.Throttle(after.gear().throttle()));
    }
    return after;
  }

  private Window release(Window w, List<Effect> out) {
    if (w.acked() <= w.released()) {
      return w;
    }
    out.add(new Effect.Release(w.acked()));
    return w.releasedTo(w.acked());
  }

  private Peer beat(Peer peer, long now, long released, long durable, List<Effect> out) {
    if (!peer.isUp() || now - peer.beatAt() < config.timing().beat()) {
      return peer;
    }
    Peer beaten = peer.beaten(now);
    sendBeat(beaten, released, durable, out);
    return beaten;
  }

  private void sendBeat(Peer peer, long released, long durable, List<Effect> out) {
    out.add(
        new Effect.Send(
            peer.conn(),
            new Message.Beat(peer.attachId(), peer.beat(), released, Math.max(0, durable))));
  }

  private boolean isNewer(Event.EpochSeen seen, Epoch epoch) {
    return seen.epoch().compareTo(epoch) > 0 && !seen.owner().equals(config.self());
  }

  private Role fenced(Event.EpochSeen seen, List<Effect> out) {
    return end(
        out,
        Ending.FENCED,
        "Another process owns this virtual machine now (epoch %d, replica %s): this one has stopped for good."
            .formatted(seen.epoch().number(), seen.owner()));
  }

  private void refuse(long conn, String why, List<Effect> out) {
    out.add(new Effect.Send(conn, new Message.Refused(why)));
    out.add(new Effect.Close(conn));
  }

  /**
   * For a moment that passes: who wants to resume learns that it is too late, who wants to join
   * tries again.
   */
  private void refuseNow(long conn, Message.Hello hello, String why, List<Effect> out) {
    if (hello.attachId() != 0) {
      refuse(conn, why, out);
    } else {
      out.add(new Effect.Close(conn));
    }
  }

  static Stopped end(List<Effect> out, Ending ending, String why) {
    out.add(new Effect.End(ending, why));
    return new Stopped(ending, why);
  }
}
