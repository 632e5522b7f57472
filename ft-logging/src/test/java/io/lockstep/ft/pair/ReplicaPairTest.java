package io.lockstep.ft.pair;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.ft.protocol.Ending;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.PairConfig;
import io.lockstep.ft.protocol.ReplicaId;
import io.lockstep.ft.protocol.Role;
import io.lockstep.ft.protocol.Timing;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.guest.SmallGuest;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Two replicas with the real machine and the small guest, in one process. */
class ReplicaPairTest {
  private static final Timing TIMING = Timing.DEFAULT.withSuspect(2_000_000_000L);

  private final SharedWorld world = new SharedWorld();
  private int tags;

  @AfterEach
  void close() {
    world.close();
  }

  private static Replica.Setup setup(Optional<InetSocketAddress> peer) throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    InetSocketAddress listen = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
    PairConfig config =
        new PairConfig("vm", "", new ReplicaId(UUID.randomUUID()), "127.0.0.1:" + port, TIMING);
    return new Replica.Setup(config, listen, peer, Optional.empty());
  }

  private Replica start(SharedWorld.Host host) throws Exception {
    OutputRelay relay = new OutputRelay();
    Machine machine = new Machine(SharedWorld.CONFIG, relay);
    machine.boot(KernelLoader.Images.of(SmallGuest.elf(), new byte[0]), "beat_ms=50 dirty_kb=2000");
    return Replica.start(
        setup(Optional.empty()),
        host,
        world,
        id -> LogFile.NONE,
        machine,
        relay,
        ClockMode.HOST,
        Epoch.NONE);
  }

  private Replica join(SharedWorld.Host host, Replica primary) throws Exception {
    return Replica.join(setup(Optional.of(primary.listening())), host, world, id -> LogFile.NONE);
  }

  private static void await(String what, BooleanSupplier reached) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (!reached.getAsBoolean()) {
      assertThat(System.nanoTime()).as("waiting until " + what).isLessThan(deadline);
      Thread.sleep(2);
    }
  }

  private static boolean isProtected(Replica replica) {
    return replica.status().protocol().role() == Role.Protected.class;
  }

  private long append(long value) throws InterruptedException {
    String reply = world.ask(++tags, "APPEND " + value);
    assertThat(reply).startsWith("OK ");
    return Long.parseLong(reply.split(" ")[1]);
  }

  @Test
  void aSecondaryTakesOverWhenItsPrimaryVanishesAndNoAcknowledgedWriteIsLost() throws Exception {
    SharedWorld.Host hostA = world.new Host("A");
    SharedWorld.Host hostB = world.new Host("B");
    Replica a = start(hostA);
    append(1);
    Replica b = join(hostB, a);
    await("A is protected", () -> isProtected(a));
    await("B may take over", () -> b.status().protocol().isProtected());
    long seq = 0;
    for (int i = 2; i <= 200; i++) {
      seq = append(i);
    }
    a.abort();
    await("B runs alone", () -> b.status().protocol().role() == Role.Solo.class);
    assertThat(append(201)).isEqualTo(seq + 1);
    assertThat(world.ask(++tags, "LEDGER")).startsWith("OK %d 201 count=201".formatted(seq + 1));
    b.close();
    assertThat(hostB.ended.get(10, TimeUnit.SECONDS)).isEqualTo(Ending.OPERATOR);
  }

  @Test
  void theRolesAreExchangedAndExchangedBackWithoutLoss() throws Exception {
    Replica a = start(world.new Host("A"));
    append(1);
    Replica b = join(world.new Host("B"), a);
    await("A is protected", () -> isProtected(a));
    await("B may take over", () -> b.status().protocol().isProtected());
    Replica[] sides = {a, b};
    for (int round = 0; round < 4; round++) {
      Replica from = sides[round % 2];
      Replica to = sides[1 - round % 2];
      for (int i = 0; i < 20; i++) {
        append(2 + 20L * round + i);
      }
      from.switchOver();
      await("the other side is protected in round " + round, () -> isProtected(to));
      await("this side follows", () -> from.status().protocol().role() == Role.Following.class);
    }
    assertThat(world.ask(++tags, "LEDGER")).contains(" 81 count=81 ");
    a.close();
    b.close();
  }

  @Test
  void aPrimaryGoesOnWhenItsSecondaryVanishesAndTakesAnother() throws Exception {
    Replica a = start(world.new Host("A"));
    for (int round = 0; round < 3; round++) {
      append(10L * round + 1);
      Replica b = join(world.new Host("B" + round), a);
      await("A is protected", () -> isProtected(a));
      append(10L * round + 2);
      b.abort();
      await("A runs alone", () -> a.status().protocol().role() == Role.Solo.class);
    }
    a.close();
  }
}
