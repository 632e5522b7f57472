package io.lockstep.ft.sim;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Clients of the guest, each with one operation at a time, repeated until it is answered. Every
 * reply names its place in the guest's order of operations; the history is linearizable if that
 * order explains all values and no operation comes before one that ended before it began.
 */
final class SimClients {
  private static final int CLIENTS = 3;
  private static final long RETRY = 25 * World.MS;

  private record Done(boolean put, long key, long value, long order, long begun, long ended) {}

  private static final class Client {
    long id;
    long seq;
    boolean put;
    long key;
    long value;
    long begun;
    long lastTicks;
    boolean waiting;
  }

  private final World world;
  private final SimSwitch network;
  private final List<Client> clients = new ArrayList<>();
  private final List<Done> history = new ArrayList<>();
  private final Set<Long> put = new HashSet<>();
  private boolean stopped;

  SimClients(World world, SimSwitch network) {
    this.world = world;
    this.network = network;
    for (int i = 0; i < CLIENTS; i++) {
      Client c = new Client();
      c.id = i + 1L;
      clients.add(c);
      world.after(world.delay(0, 5 * World.MS), () -> next(c));
    }
  }

  int answered() {
    return history.size();
  }

  void stop() {
    stopped = true;
  }

  private void next(Client c) {
    if (stopped) {
      return;
    }
    c.seq++;
    c.put = world.chance(0.5);
    c.key = world.random.nextInt(ToyMachine.KEYS);
    c.value = c.id << 32 | c.seq;
    c.begun = world.now();
    c.waiting = true;
    if (c.put) {
      put.add(c.value);
    }
    send(c, c.seq);
  }

  private void send(Client c, long seq) {
    if (!c.waiting || c.seq != seq) {
      return;
    }
    network.fromClient(
        ByteBuffer.allocate(ToyMachine.REQUEST_BYTES)
            .putLong(c.put ? 0 : 1)
            .putLong(c.id)
            .putLong(c.seq)
            .putLong(c.key)
            .putLong(c.value)
            .array());
    world.after(RETRY, () -> send(c, seq));
  }

  void receive(byte[] frame) {
    ByteBuffer in = ByteBuffer.wrap(frame);
    Client c = clients.get((int) in.getLong() - 1);
    long seq = in.getLong();
    long order = in.getLong();
    long value = in.getLong();
    long ticks = in.getLong();
    long flag = in.getLong();
    if (seq != c.seq || !c.waiting) {
      return;
    }
    if (flag == ToyMachine.DISK_DIFFERS) {
      throw new Violation(
          "the guest found its disk different from its memory (client %d, seq %d)"
              .formatted(c.id, seq));
    }
    if (ticks < c.lastTicks) {
      throw new Violation(
          "the guest's clock went back from %d to %d".formatted(c.lastTicks, ticks));
    }
    c.lastTicks = ticks;
    c.waiting = false;
    history.add(new Done(c.put, c.key, value, order, c.begun, world.now()));
    world.after(world.delay(100 * World.US, 4 * World.MS), () -> next(c));
  }

  void checkHistory() {
    history.sort(Comparator.comparingLong(Done::order));
    Map<Long, Long> values = new HashMap<>();
    Set<Long> answeredPuts = new HashSet<>();
    history.stream().filter(Done::put).forEach(d -> answeredPuts.add(d.value()));
    long latestBegin = Long.MIN_VALUE;
    Done before = null;
    for (Done d : history) {
      if (before != null && d.order() == before.order()) {
        throw new Violation(
            "two operations have place %d in the guest's order".formatted(d.order()));
      }
      if (d.ended() < latestBegin) {
        throw new Violation(
            "operation %d ended before an earlier one in the guest's order began"
                .formatted(d.order()));
      }
      latestBegin = Math.max(latestBegin, d.begun());
      if (d.put()) {
        values.put(d.key(), d.value());
      } else {
        checkRead(d, values.getOrDefault(d.key(), 0L), answeredPuts);
        values.put(d.key(), d.value());
      }
      before = d;
    }
  }

  private void checkRead(Done read, long expected, Set<Long> answeredPuts) {
    boolean ofUnanswered = put.contains(read.value()) && !answeredPuts.contains(read.value());
    if (read.value() != expected && !ofUnanswered) {
      throw new Violation(
          "a read of key %d at place %d gave %x instead of %x"
              .formatted(read.key(), read.order(), read.value(), expected));
    }
  }
}
