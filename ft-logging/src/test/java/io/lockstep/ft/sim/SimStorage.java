package io.lockstep.ft.sim;

import io.lockstep.ft.protocol.ClaimKind;
import io.lockstep.ft.protocol.ClaimResult;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.Event;
import io.lockstep.ft.protocol.ReplicaId;
import java.util.TreeMap;

/**
 * The shared storage's epochs: a test-and-set that can be slow, and unreachable from a host, before
 * or after it took place.
 */
final class SimStorage {
  private record Owner(ReplicaId replica, ClaimKind kind) {}

  private final World world;
  private final TreeMap<Long, Owner> epochs = new TreeMap<>();
  private final long[] unreachableUntil = new long[PairSimulation.HOSTS];
  private long slowUntil;

  SimStorage(World world) {
    this.world = world;
  }

  void cutOff(int host, long until) {
    unreachableUntil[host] = until;
  }

  void slow(long until) {
    slowUntil = until;
  }

  void heal() {
    java.util.Arrays.fill(unreachableUntil, 0);
    slowUntil = 0;
  }

  Epoch newest() {
    return epochs.isEmpty() ? Epoch.NONE : new Epoch(epochs.lastKey());
  }

  ReplicaId newestOwner() {
    return epochs.isEmpty() ? ReplicaId.NONE : epochs.lastEntry().getValue().replica();
  }

  void claim(SimReplica who, Epoch epoch, ClaimKind kind) {
    long there = latency();
    long back = latency();
    world.after(
        there,
        () -> {
          boolean reachable = world.now() >= unreachableUntil[who.host()];
          boolean done = reachable || world.chance(0.3);
          ClaimResult result = done ? testAndSet(who.id(), epoch, kind) : null;
          if (result instanceof ClaimResult.Won && !who.isAlive()) {
            // It asked, and died before the answer: nobody else can have this epoch.
            who.diedAsOwner();
          }
          boolean answered = reachable && world.now() + back >= unreachableUntil[who.host()];
          who.post(
              back,
              new Event.ClaimAnswered(
                  epoch, answered ? result : new ClaimResult.Unknown("no answer")));
        });
  }

  private ClaimResult testAndSet(ReplicaId who, Epoch epoch, ClaimKind kind) {
    Owner owner = epochs.get(epoch.number());
    if (owner == null && epoch.compareTo(newest()) < 0) {
      throw new Violation(
          "epoch %d is claimed after %d".formatted(epoch.number(), newest().number()));
    }
    if (owner == null || world.has(Flaw.CLAIM_NOT_ATOMIC)) {
      epochs.put(epoch.number(), new Owner(who, kind));
      world.trace("storage: epoch %d to %s (%s)", epoch.number(), who, kind);
      return new ClaimResult.Won();
    }
    return owner.replica().equals(who)
        ? new ClaimResult.Won()
        : new ClaimResult.Lost(owner.replica(), owner.kind());
  }

  /** A replica looks for the newest epoch, as it does from time to time. */
  void poll(SimReplica who) {
    if (world.now() >= unreachableUntil[who.host()] && !epochs.isEmpty()) {
      Owner owner = epochs.lastEntry().getValue();
      who.post(latency(), new Event.EpochSeen(newest(), owner.replica(), owner.kind()));
    }
  }

  private long latency() {
    return world.now() < slowUntil
        ? world.delay(5 * World.MS, 80 * World.MS)
        : world.delay(200 * World.US, 6 * World.MS);
  }
}
