package io.lockstep.vm.machine;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.machine.VirtualMachine.Stop;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * The machine is a function of its inputs: whatever the engine caches, and wherever it is cut in
 * two by a snapshot.
 */
final class MachineDeterminismTest {
  private static final int INTERVALS = 1_200;
  private static final int CHECK_EVERY = 20;

  private final long seed = Long.getLong("lockstep.seed", System.nanoTime());
  private final Random random = new Random(seed);

  /** Something done to a machine between two steps of the world that must not show. */
  private interface Disturbance {
    void apply(ScriptedWorld world);
  }

  private static List<String> history(Disturbance disturbance) throws Exception {
    ScriptedWorld world = ScriptedWorld.start();
    List<String> digests = new ArrayList<>();
    for (int i = 1; i <= INTERVALS; i++) {
      disturbance.apply(world);
      world.step();
      if (i % CHECK_EVERY == 0) {
        digests.add("%d:%016x".formatted(world.machine().steps(), world.machine().digest()));
      }
    }
    digests.add(world.console.toString());
    digests.addAll(world.replies);
    return digests;
  }

  @Test
  void theGuestServesWhileItIsWatched() throws Exception {
    ScriptedWorld world = ScriptedWorld.start();
    for (int i = 0; i < INTERVALS; i++) {
      world.step();
    }
    assertThat(world.console.toString()).contains("Lockstep small guest").contains("beat 2 ");
    // ADD total 2, 3, 4, ... (the first comes before the guest listens): the sums prove that each
    // datagram was served once and in order.
    assertThat(world.replies).startsWith("OK 1 2", "OK 2 5", "OK 3 9");
  }

  @Test
  void twoRunsWithTheSameInputsHaveEqualDigests() throws Exception {
    assertThat(history(w -> {})).isEqualTo(history(w -> {}));
  }

  @Test
  void droppingCachesAtRandomPointsDoesNotShow() throws Exception {
    List<String> disturbed =
        history(
            w -> {
              if (random.nextInt(4) == 0) {
                w.machine().dropCaches();
              }
            });
    assertThat(disturbed).as("seed %d", seed).isEqualTo(history(w -> {}));
  }

  @Test
  void stoppingAtRandomPointsDoesNotShow() throws Exception {
    List<String> disturbed =
        history(
            w -> {
              for (int k = random.nextInt(6); k > 0; k--) {
                runABit(w);
              }
            });
    assertThat(disturbed).as("seed %d", seed).isEqualTo(history(w -> {}));
  }

  @Test
  void savingAndRestoringAtRandomStepsDoesNotShow() throws Exception {
    List<String> disturbed =
        history(
            w -> {
              if (random.nextInt(40) == 0) {
                runABit(w);
                w.restartFromSnapshot();
              }
            });
    assertThat(disturbed).as("seed %d", seed).isEqualTo(history(w -> {}));
  }

  /** Runs to a random point that lies before the world's next action. */
  private void runABit(ScriptedWorld world) {
    Machine m = world.machine();
    long room = ScriptedWorld.INTERVAL - m.steps() % ScriptedWorld.INTERVAL;
    long limit = m.steps() + random.nextLong(room);
    if (m.run(limit) == Stop.LIMIT) {
      assertThat(m.steps()).isEqualTo(limit);
    }
  }

  @Test
  void aDifferentInputGivesADifferentDigest() throws Exception {
    ScriptedWorld one = ScriptedWorld.start();
    ScriptedWorld other = ScriptedWorld.start();
    for (int i = 0; i < INTERVALS / 2; i++) {
      one.step();
      other.step();
    }
    assertThat(one.machine().digest()).isEqualTo(other.machine().digest());
    long address = io.lockstep.vm.memory.GuestRam.BASE + one.machine().ram().size() / 2;
    other.machine().ram().putLong(address, ~other.machine().ram().getLong(address));
    assertThat(one.machine().digest()).isNotEqualTo(other.machine().digest());
  }
}
