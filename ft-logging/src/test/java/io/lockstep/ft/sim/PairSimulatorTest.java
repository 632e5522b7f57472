package io.lockstep.ft.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The pair protocol against everything that can go wrong. {@code -Dlockstep.sim.seeds=100000} runs
 * more seeds, {@code -Dlockstep.sim.seed=N} one of them with its last steps printed.
 */
class PairSimulatorTest {
  private static final int SEEDS = Integer.getInteger("lockstep.sim.seeds", 1000);
  private static final long ONE_SEED = Long.getLong("lockstep.sim.seed", -1);
  private static final int SEEDS_FOR_A_FLAW = 400;

  @Test
  void noSeedBreaksAPromise() {
    EnumMap<PairSimulation.Seen, Integer> seen = new EnumMap<>(PairSimulation.Seen.class);
    long first = ONE_SEED >= 0 ? ONE_SEED : 0;
    long last = ONE_SEED >= 0 ? ONE_SEED : SEEDS - 1;
    for (long seed = first; seed <= last; seed++) {
      run(seed, ONE_SEED >= 0).forEach((what, n) -> seen.merge(what, n, Integer::sum));
    }
    System.out.println(SEEDS + " simulated runs: " + seen);
    if (ONE_SEED < 0) {
      assertThat(seen.getOrDefault(PairSimulation.Seen.PROTECTED, 0)).isGreaterThan(SEEDS);
      assertThat(seen.getOrDefault(PairSimulation.Seen.TAKEOVER, 0)).isGreaterThan(SEEDS / 4);
      assertThat(seen.getOrDefault(PairSimulation.Seen.ALONE_AGAIN, 0)).isGreaterThan(SEEDS / 4);
      assertThat(seen.getOrDefault(PairSimulation.Seen.SWITCHED_OVER, 0)).isGreaterThan(SEEDS / 20);
      assertThat(seen.getOrDefault(PairSimulation.Seen.LOST_GUEST, 0)).isLessThan(SEEDS / 4);
    }
  }

  private static Map<PairSimulation.Seen, Integer> run(long seed, boolean tracing) {
    PairSimulation simulation = new PairSimulation(seed, Flaw.NONE, tracing);
    try {
      return simulation.run();
    } catch (RuntimeException e) {
      String again =
          "mvn test -pl ft-logging -am -Dtest=PairSimulatorTest#noSeedBreaksAPromise"
              + " -Dsurefire.failIfNoSpecifiedTests=false -Dlockstep.sim.seed="
              + seed;
      if (tracing) {
        System.out.println(simulation.world.traced());
      }
      throw new AssertionError("seed %d: %s%nAgain: %s".formatted(seed, e.getMessage(), again), e);
    }
  }

  @ParameterizedTest
  @EnumSource(value = Flaw.class, mode = EnumSource.Mode.EXCLUDE, names = "NONE")
  void aPlantedBugIsFound(Flaw flaw) {
    long seed = 0;
    Violation found = null;
    while (found == null && seed < SEEDS_FOR_A_FLAW) {
      try {
        new PairSimulation(seed, flaw, false).run();
        seed++;
      } catch (Violation v) {
        found = v;
      }
    }
    assertThat(found)
        .as("what the simulator finds of %s in %d seeds", flaw, SEEDS_FOR_A_FLAW)
        .isNotNull();
    System.out.printf("%s is found by seed %d: %s%n", flaw, seed, found.getMessage());
  }
}
