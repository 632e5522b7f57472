package io.lockstep.ft.sim;

import io.lockstep.ft.protocol.Event;
import io.lockstep.ft.protocol.Message;
import io.lockstep.ft.protocol.Role;
import java.util.HashMap;
import java.util.Map;

/**
 * Connections between the two hosts. Each keeps the order of its messages (unless the run is a wild
 * one), none keeps its promise to deliver the last of them: when it breaks, each side is told at
 * another time, and what was under way arrives late or never.
 */
final class SimLinks {
  private static final class Conn {
    long id;
    SimReplica[] ends;
    boolean broken;
    final long[] lastArrival = new long[2];

    int side(SimReplica who) {
      return ends[0] == who ? 0 : 1;
    }
  }

  private final World world;
  private final PairSimulation sim;
  private boolean wild;
  private final Map<Long, Conn> conns = new HashMap<>();
  private final long[] deafUntil = new long[PairSimulation.HOSTS];
  private long slowUntil;
  private long ids;

  SimLinks(World world, PairSimulation sim, boolean wild) {
    this.world = world;
    this.sim = sim;
    this.wild = wild;
  }

  /** Nothing reaches the host until then. */
  void deafen(int host, long until) {
    deafUntil[host] = until;
  }

  void slow(long until) {
    slowUntil = until;
  }

  void heal() {
    java.util.Arrays.fill(deafUntil, 0);
    slowUntil = 0;
    wild = false;
  }

  void connect(SimReplica from) {
    int there = 1 - from.host();
    boolean cut = world.now() < Math.max(deafUntil[0], deafUntil[1]);
    SimReplica to = sim.replicaOn(there);
    if (cut || sim.isHostDown(there) || to != null && to.isPaused()) {
      from.post(10 * World.MS, new Event.ConnectFailed(false));
      return;
    }
    if (to == null || !(to.role() instanceof Role.Primary)) {
      from.post(300 * World.US, new Event.ConnectFailed(true));
      return;
    }
    Conn conn = new Conn();
    conn.id = ++ids;
    conn.ends = new SimReplica[] {from, to};
    conns.put(conn.id, conn);
    from.post(world.delay(300 * World.US, 4 * World.MS), new Event.Connected(conn.id));
  }

  void send(long connId, SimReplica from, Message message) {
    Conn conn = conns.get(connId);
    if (conn == null || conn.broken) {
      return;
    }
    int side = conn.side(from);
    SimReplica to = conn.ends[1 - side];
    long latency =
        world.now() < slowUntil
            ? world.delay(World.MS, 30 * World.MS)
            : world.delay(40 * World.US, 2 * World.MS);
    long arrival = Math.max(world.now(), deafUntil[to.host()]) + latency;
    if (!wild) {
      arrival = Math.max(arrival, conn.lastArrival[1 - side]);
    } else if (world.chance(0.02)) {
      arrive(conn, to, message, arrival + world.delay(0, 20 * World.MS));
    }
    conn.lastArrival[1 - side] = arrival;
    arrive(conn, to, message, arrival);
  }

  private void arrive(Conn conn, SimReplica to, Message message, long arrival) {
    world.at(
        arrival,
        () -> {
          // What was under way when a connection broke may still be in the receiver's buffer, or
          // not.
          if (!conn.broken || world.chance(0.5)) {
            to.deliver(new Event.Received(conn.id, message));
          }
        });
  }

  void close(long connId, SimReplica closer) {
    Conn conn = conns.get(connId);
    if (conn == null || conn.broken) {
      return;
    }
    SimReplica other = conn.ends[1 - conn.side(closer)];
    long arrival =
        Math.max(
            Math.max(world.now(), deafUntil[other.host()]),
            conn.lastArrival[1 - conn.side(closer)]);
    world.at(arrival + 100 * World.US, () -> down(conn, other, 0));
  }

  /** A connection between the hosts breaks without a reason. */
  void reset() {
    conns.values().stream().filter(c -> !c.broken).forEach(this::breakBothEnds);
  }

  private void breakBothEnds(Conn conn) {
    down(conn, conn.ends[0], world.delay(0, 10 * World.MS));
    down(conn, conn.ends[1], world.delay(0, 10 * World.MS));
  }

  /** A process is gone: the other side is told at once, unless its whole host is. */
  void gone(SimReplica who, boolean silent) {
    for (Conn conn : conns.values()) {
      if (!conn.broken && (conn.ends[0] == who || conn.ends[1] == who)) {
        SimReplica other = conn.ends[1 - conn.side(who)];
        conn.broken = true;
        if (!silent) {
          long delay =
              Math.max(0, deafUntil[other.host()] - world.now())
                  + world.delay(100 * World.US, World.MS);
          other.post(delay, new Event.LinkDown(conn.id));
        }
      }
    }
  }

  private void down(Conn conn, SimReplica end, long delay) {
    conn.broken = true;
    end.post(delay, new Event.LinkDown(conn.id));
  }
}
