package io.lockstep.ft.sim;

import java.util.HashMap;
import java.util.Map;

/** The network that outlives both hosts: frames go to and come from the newest epoch's port. */
final class SimSwitch {
  private final World world;
  private final Map<Long, SimReplica> ports = new HashMap<>();
  private long newest;
  private SimClients clients;

  SimSwitch(World world) {
    this.world = world;
  }

  void connect(SimClients all) {
    clients = all;
  }

  /** {@code replica} announces the guest's address under {@code epoch}. */
  void claim(long epoch, SimReplica replica) {
    ports.put(epoch, replica);
    newest = Math.max(newest, epoch);
  }

  /** A frame from a replica, at the moment at which the switch would pass it on. */
  void fromReplica(long epoch, long emission, byte[] frame, SimReplica sender) {
    if (epoch != newest && !world.has(Flaw.SWITCH_IGNORES_EPOCH)) {
      return;
    }
    sender.lineage().accepted(epoch, emission, frame);
    if (!world.chance(0.01)) {
      world.after(world.delay(50 * World.US, World.MS), () -> clients.receive(frame));
    }
  }

  void fromClient(byte[] frame) {
    SimReplica owner = ports.get(newest);
    if (owner != null && !world.chance(0.01)) {
      world.after(world.delay(50 * World.US, World.MS), () -> owner.packet(frame.clone()));
    }
  }
}
