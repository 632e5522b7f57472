package io.lockstep.ft.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.Test;

class GearTest {
  private static final long TICK_MS = 10;
  private static final long MS = 1_000_000;

  /** Until the mean has risen, in seconds. */
  private static final int RISE = 3;

  private static final int HOPELESS = (int) (Timing.DEFAULT.hopeless() / (1000 * MS));

  @Test
  void aSecondaryThatIsFarTooSlowInBurstsIsHopelessInTheEnd() {
    IntUnaryOperator lagMs = tick -> tick % 10 < 2 ? 100 : 200;
    assertThat(isHopelessAfter(HOPELESS - 1, lagMs)).isFalse();
    assertThat(isHopelessAfter(HOPELESS + RISE, lagMs)).isTrue();
  }

  @Test
  void aSecondaryThatSlowsThePrimaryHardForHalfOfTheTimeIsNotHopeless() {
    assertThat(isHopelessAfter(3 * HOPELESS, tick -> tick % 10 < 5 ? 60 : 200)).isFalse();
  }

  @Test
  void aSecondaryThatWasFarTooSlowForAWhileIsNotHopeless() {
    long slow = (HOPELESS - 1) * 1000L / TICK_MS;
    assertThat(isHopelessAfter(3 * HOPELESS, tick -> tick < slow ? 200 : 20)).isFalse();
  }

  private static boolean isHopelessAfter(int seconds, IntUnaryOperator lagMs) {
    Gear gear = Gear.NEUTRAL;
    for (int tick = 0; tick <= seconds * 1000L / TICK_MS; tick++) {
      long now = tick * TICK_MS * MS;
      long behind = lagMs.applyAsInt(tick) / TICK_MS;
      gear = gear.grown(now, tick + 1L).shifted(now, tick - behind, Timing.DEFAULT);
    }
    return gear.hopeless(seconds * 1000L * MS, Timing.DEFAULT);
  }
}
