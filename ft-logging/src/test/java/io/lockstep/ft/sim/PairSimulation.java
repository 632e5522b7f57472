package io.lockstep.ft.sim;

import io.lockstep.ft.protocol.Event;
import io.lockstep.ft.protocol.ReplicaId;
import io.lockstep.ft.protocol.Role;
import io.lockstep.ft.protocol.Timing;
import io.lockstep.vm.port.Output;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;

/**
 * One seeded run: two hosts, shared storage and disk, a network with clients, an agent that
 * replaces dead processes, and faults until {@link #FAULTS_END}. After that everything works again,
 * and the pair must find its way back to protection, unless the guest was lost in a way that no
 * pair can prevent.
 */
final class PairSimulation {
  static final int HOSTS = 2;
  static final long TICK = 1 * World.MS;
  static final Timing TIMING =
      new Timing(
          10 * World.MS,
          40 * World.MS,
          3 * World.MS,
          5 * World.MS,
          10 * World.MS,
          60 * World.MS,
          120 * World.MS,
          150 * World.MS);
  private static final long FAULTS_BEGIN = 15 * World.MS;
  private static final long FAULTS_END = 700 * World.MS;
  private static final long PATIENCE = 3000 * World.MS;
  private static final long FAULT_SPACING = 120 * World.MS;

  /** What happened in a run, to see that the rare things are reached. */
  enum Seen {
    PROTECTED,
    TAKEOVER,
    ALONE_AGAIN,
    SWITCHED_OVER,
    RESUMED,
    LOST_GUEST,
    HOST_CRASH
  }

  final World world;
  final SimStorage storage;
  final SimDisk disk;
  final SimSwitch network;
  final SimLinks links;
  final SimClients clients;
  final Lineage lineage = new Lineage();
  final EntryTable entries = new EntryTable();
  private final SimReplica[] hosts = new SimReplica[HOSTS];
  private final long[] hostDownUntil = new long[HOSTS];
  private final Map<Long, Long> storedMost = new HashMap<>();
  private final EnumMap<Seen, Integer> seen = new EnumMap<>(Seen.class);
  private final long seed;
  private long ids;
  private boolean lost;

  PairSimulation(long seed, Flaw flaw, boolean tracing) {
    this.seed = seed;
    this.world = new World(seed, flaw, tracing);
    this.storage = new SimStorage(world);
    this.disk = new SimDisk(world);
    this.network = new SimSwitch(world);
    this.links = new SimLinks(world, this, seed % 5 == 0);
    this.clients = new SimClients(world, network);
    network.connect(clients);
  }

  /** Runs to the end; throws {@link Violation} if a promise is broken. */
  Map<Seen, Integer> run() {
    spawn(0, true);
    world.after(5 * World.MS, () -> spawn(1, false));
    world.after(10 * World.MS, this::agent);
    world.after(FAULTS_BEGIN, this::fault);
    boolean more = true;
    while (more && !lost) {
      more = world.runNext(FAULTS_END);
    }
    if (!lost) {
      heal();
      recover();
      clients.stop();
    }
    clients.checkHistory();
    return seen;
  }

  private void recover() {
    int answeredBefore = clients.answered();
    long deadline = world.now() + PATIENCE;
    while (world.now() < deadline
        && !lost
        && !(isProtected() && clients.answered() > answeredBefore + 6)) {
      if (!world.runNext(deadline)) {
        break;
      }
    }
    if (!lost && !(isProtected() && clients.answered() > answeredBefore + 6)) {
      throw new Violation(
          "long after the last fault: roles %s and %s, %d operations answered since"
              .formatted(describe(0), describe(1), clients.answered() - answeredBefore));
    }
  }

  private String describe(int host) {
    return hosts[host] == null || !hosts[host].isAlive() ? "none" : hosts[host].role().toString();
  }

  private boolean isProtected() {
    for (SimReplica r : hosts) {
      if (r != null && r.isAlive() && r.role() instanceof Role.Protected) {
        SimReplica other = hosts[1 - r.host()];
        return other != null
            && other.isAlive()
            && other.role() instanceof Role.Following f
            && f.eligible();
      }
    }
    return false;
  }

  // ---- Hosts ----

  SimReplica replicaOn(int host) {
    SimReplica r = hosts[host];
    return r != null && r.isAlive() ? r : null;
  }

  boolean isHostDown(int host) {
    return world.now() < hostDownUntil[host];
  }

  private void spawn(int host, boolean starts) {
    ids++;
    hosts[host] = new SimReplica(world, this, host, new ReplicaId(new UUID(seed, ids)), starts);
  }

  /** Starts a secondary wherever there is none and the other host has somebody. */
  private void agent() {
    for (int host = 0; host < HOSTS; host++) {
      if (replicaOn(host) == null && replicaOn(1 - host) != null && !isHostDown(host)) {
        spawn(host, false);
      }
    }
    world.after(10 * World.MS + world.random.nextInt((int) (10 * World.MS)), this::agent);
    noticeLoss();
  }

  /** Nobody is left who could run the guest. */
  private void noticeLoss() {
    boolean anyPrimary = false;
    for (SimReplica r : hosts) {
      anyPrimary |=
          r != null
              && r.isAlive()
              && (r.role() instanceof Role.Primary
                  || r.role() instanceof Role.Starting
                  || canTakeOver(r));
    }
    if (!anyPrimary) {
      throw new Violation(
          "the guest is lost, and no fault explains it: " + describe(0) + ", " + describe(1));
    }
  }

  private static boolean canTakeOver(SimReplica r) {
    return switch (r.role()) {
      case Role.Following f -> f.eligible();
      case Role.ClaimingTakeover c -> true;
      case Role.GoingLive g -> true;
      case Role.Starting s -> false;
      case Role.Solo s -> false;
      case Role.Copying s -> false;
      case Role.CatchingUp s -> false;
      case Role.Protected s -> false;
      case Role.ClaimingAlone s -> false;
      case Role.HandingOver s -> false;
      case Role.Joining s -> false;
      case Role.Receiving s -> false;
      case Role.Stopped s -> false;
    };
  }

  // ---- Faults ----

  private void fault() {
    if (world.now() >= FAULTS_END) {
      return;
    }
    int host = world.random.nextInt(HOSTS);
    SimReplica r = replicaOn(host);
    long until = world.now() + world.delay(2 * World.MS, 150 * World.MS);
    if (r != null) {
      inject(world.random.nextInt(18), r, until);
      checkLoss();
    }
    world.after(
        world.delay(5 * World.MS, FAULT_SPACING) * (world.chance(0.2) ? 1 : 3), this::fault);
  }

  private void inject(int kind, SimReplica r, long until) {
    int host = r.host();
    switch (kind) {
      case 0, 1, 2 -> crash(r, false);
      case 3, 4 -> crash(r, true);
      case 5, 6 -> {
        world.trace("FAULT pause host %d until %.3f", host, until / 1e6);
        r.pause(until);
      }
      case 7, 8 -> {
        world.trace("FAULT nothing reaches host %d until %.3f", host, until / 1e6);
        links.deafen(host, until);
        if (world.chance(0.5)) {
          links.deafen(1 - host, until);
        }
      }
      case 9, 10 -> {
        world.trace("FAULT reset");
        links.reset();
      }
      case 11 -> {
        world.trace("FAULT storage unreachable from host %d until %.3f", host, until / 1e6);
        storage.cutOff(host, until);
      }
      case 12 -> {
        storage.cutOff(0, until);
        storage.cutOff(1, until);
        links.reset();
      }
      case 13 -> {
        storage.slow(until);
        links.slow(until);
      }
      case 14, 15 -> {
        world.trace("FAULT switch-over asked of host %d", host);
        r.deliver(new Event.SwitchOverAsked());
      }
      case 16 -> {
        r.replaySpeed(1 + world.random.nextInt(6));
        world.at(until, () -> r.replaySpeed(0));
      }
      default -> odd(r);
    }
  }

  private void odd(SimReplica r) {
    // What strikes the last one that has the guest is a loss and no finding.
    boolean spare = !r.isPaused() && hosts[1 - r.host()].isAlive();
    if (r.role() instanceof Role.Following && !spare) {
      return;
    }
    if (r.role() instanceof Role.Following && world.chance(0.5)) {
      r.deliver(new Event.StoreFailed("no space left on device"));
    } else if (r.role() instanceof Role.Following) {
      world.trace("FAULT corrupt host %d", r.host());
      r.corrupt();
    } else {
      r.deliver(new Event.DetachAsked());
    }
  }

  private void crash(SimReplica r, boolean wholeHost) {
    // A guest without protection cannot survive; few runs shall end that way.
    if (!isProtected() && !(r.role() instanceof Role.Secondary) && world.chance(0.93)) {
      return;
    }
    world.trace(
        "FAULT crash of %s on host %d (%s)",
        wholeHost ? "everything" : "the process", r.host(), r.role().getClass().getSimpleName());
    r.kill(wholeHost);
    if (wholeHost) {
      count(Seen.HOST_CRASH);
      hostDownUntil[r.host()] = world.now() + 60 * World.MS;
      disk.hostCrashed(r.host());
    }
  }

  /** A fault may leave nobody who has all of the guest: no pair survives that. */
  private void checkLoss() {
    boolean owned = false;
    for (SimReplica r : hosts) {
      owned |= r.isAlive() && storage.newestOwner().equals(r.id());
    }
    if (!owned && !survivesOwner()) {
      lose();
    }
  }

  /** The run cannot go on, and nobody is to blame. */
  void lose() {
    world.trace("the guest is lost");
    count(Seen.LOST_GUEST);
    lost = true;
  }

  /** Whether somebody may claim the epoch after the one whose owner has just died. */
  private boolean survivesOwner() {
    for (SimReplica r : hosts) {
      boolean may =
          r.isAlive()
              && !r.isCorrupted()
              && switch (r.role()) {
                case Role.Following f -> f.eligible() && f.epoch().equals(storage.newest());
                case Role.ClaimingTakeover c -> c.epoch().equals(storage.newest());
                case Role.Starting s -> false;
                case Role.Primary s -> false;
                case Role.Joining s -> false;
                case Role.Receiving s -> false;
                case Role.GoingLive s -> false;
                case Role.Stopped s -> false;
              };
      if (may) {
        return true;
      }
    }
    return false;
  }

  private void heal() {
    world.trace("no more faults");
    links.heal();
    storage.heal();
    for (SimReplica r : hosts) {
      if (r != null) {
        r.replaySpeed(0);
      }
    }
  }

  // ---- What is watched ----

  void saw(Role before, Role after) {
    if (before instanceof Role.Following a
        && after instanceof Role.Following b
        && a.conn() == 0
        && b.conn() != 0) {
      count(Seen.RESUMED);
    }
    if (before.getClass() == after.getClass()) {
      return;
    }
    if (after instanceof Role.Protected) {
      count(Seen.PROTECTED);
    }
    if (before instanceof Role.GoingLive && after instanceof Role.Solo) {
      count(Seen.TAKEOVER);
    }
    if (before instanceof Role.ClaimingAlone && after instanceof Role.Solo) {
      count(Seen.ALONE_AGAIN);
    }
    if (before instanceof Role.HandingOver && after instanceof Role.Following) {
      count(Seen.SWITCHED_OVER);
    }
  }

  void count(Seen what) {
    seen.merge(what, 1, Integer::sum);
  }

  void stored(long next, long attachId) {
    storedMost.merge(attachId, next, Math::max);
  }

  /**
   * Outputs with marks before {@code next} are about to leave: the secondary must have those marks.
   */
  void checkCommitted(long attachId, long next) {
    if (storedMost.getOrDefault(attachId, -1L) < next) {
      throw new Violation(
          "outputs up to lsn %d leave, and the secondary has stored only up to %d"
              .formatted(next, storedMost.get(attachId)));
    }
  }

  void diskEffect(long epoch, long emission, Output.BlockRequest o) {
    if (o.op() == Output.BlockOp.FLUSH) {
      disk.flushed(epoch, disk.mark(epoch));
      return;
    }
    boolean shows = disk.isNewest(epoch) || world.has(Flaw.DISK_IGNORES_EPOCH);
    disk.write(epoch, o.sector(), o.data());
    if (shows) {
      lineage.accepted(epoch, emission, o.data());
    }
  }
}
