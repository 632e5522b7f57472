package io.lockstep.vm.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.engine.EngineOptions;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;

/**
 * No guest can hurt its host: whatever a kernel does, every run returns at its limit, nothing is
 * thrown, memory does not grow, and the same happens again in another execution tier with the
 * caches dropped.
 *
 * <p>Run longer with {@code -Dlockstep.fuzz.seconds=3600}; repeat one with {@code -Dlockstep.seed}.
 */
final class HostileKernelTest {
  private static final int KERNELS = 40;
  private static final long SECONDS = Long.getLong("lockstep.fuzz.seconds", 0);
  private static final long HEAP_GROWTH_MAX = 64L << 20;
  private static final int HOT = 3;
  private static final int UNITS_MAX = 50;

  /** A hang would be one that no step limit ends. */
  private static final int HANG_MINUTES = 120;

  private final long seed = Long.getLong("lockstep.seed", System.nanoTime());

  @Test
  @Timeout(value = HANG_MINUTES, unit = TimeUnit.MINUTES, threadMode = ThreadMode.SEPARATE_THREAD)
  void noKernelHurtsItsHost() {
    long end = System.nanoTime() + Duration.ofSeconds(SECONDS).toNanos();
    both(seed);
    long before = heapUsed();
    long kernels = 0;
    long steps = 0;
    for (long s = seed; kernels < KERNELS || System.nanoTime() < end; s++) {
      steps += both(s);
      kernels++;
      if (kernels % 1000 == 0) {
        System.out.println(kernels + " hostile kernels, " + steps + " steps");
      }
    }
    assertThat(heapUsed() - before).as("growth of the heap, bytes").isLessThan(HEAP_GROWTH_MAX);
    assertThat(steps).as("the kernels get somewhere").isGreaterThan(KERNELS * 1000L);
  }

  /** Runs a kernel in both tiers, the second time disturbed, and compares. */
  private static long both(long s) {
    try {
      HostileWorld plain = new HostileWorld(s, EngineOptions.INTERPRETER);
      plain.run(null);
      HostileWorld disturbed =
          new HostileWorld(s, EngineOptions.eager(EngineOptions.Mode.REGIONS, HOT, UNITS_MAX));
      disturbed.run(new Random(~s));
      assertThat(disturbed.history()).isEqualTo(plain.history());
      return plain.steps();
    } catch (RuntimeException | Error e) {
      throw new AssertionError("repeat with -Dlockstep.seed=" + s, e);
    }
  }

  private static long heapUsed() {
    System.gc();
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }
}
