package io.lockstep.vm.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lockstep.vm.bus.IrqLine;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PlicTest {
  private static final int MACHINE = 0;
  private static final int SUPERVISOR = 1;

  private final boolean[] out = new boolean[2];
  private final Plic plic =
      new Plic(level -> out[MACHINE] = level, level -> out[SUPERVISOR] = level);

  private void priority(int source, int value) {
    plic.write(4L * source, 4, value);
  }

  private void enable(int context, int source) {
    long at = 0x2000L + 0x80L * context + source / 32 * 4L;
    plic.write(at, 4, plic.read(at, 4) | 1L << source % 32);
  }

  private void threshold(int context, int value) {
    plic.write(0x20_0000L + 0x1000L * context, 4, value);
  }

  private int claim(int context) {
    return (int) plic.read(0x20_0004L + 0x1000L * context, 4);
  }

  private void complete(int context, int source) {
    plic.write(0x20_0004L + 0x1000L * context, 4, source);
  }

  private boolean pending(int source) {
    return (plic.read(0x1000L + source / 32 * 4L, 4) >>> source % 32 & 1) != 0;
  }

  private IrqLine ready(int source) {
    priority(source, 1);
    enable(SUPERVISOR, source);
    return plic.source(source);
  }

  @Test
  void aRaisedSourceInterruptsTheContextThatEnabledIt() {
    ready(10).set(true);
    assertThat(out).containsExactly(false, true);
    assertThat(pending(10)).isTrue();
  }

  @Test
  void aRequestInterruptsOnceHoweverLongItsWireStaysHigh() {
    ready(10);
    IrqLine requests = plic.requests(10);
    requests.set(true);
    assertThat(claim(SUPERVISOR)).isEqualTo(10);
    complete(SUPERVISOR, 10);
    assertThat(out).containsExactly(false, false);
    requests.set(true);
    assertThat(claim(SUPERVISOR)).as("the next request").isEqualTo(10);
  }

  @Test
  void aRequestIsWithdrawnWhenItsWireFallsBeforeTheClaim() {
    ready(10);
    plic.requests(10).set(true);
    plic.requests(10).set(false);
    assertThat(out).containsExactly(false, false);
    assertThat(claim(SUPERVISOR)).isZero();
  }

  @Test
  void nothingIsClaimedWithoutPriorityOrEnabling() {
    plic.source(40).set(true);
    assertThat(claim(SUPERVISOR)).isZero();
    enable(SUPERVISOR, 40);
    assertThat(claim(SUPERVISOR)).isZero();
    priority(40, 1);
    assertThat(claim(SUPERVISOR)).isEqualTo(40);
  }

  @Test
  void aClaimedSourceIsQuietUntilItIsCompleteAndThenComesAgainIfStillHigh() {
    IrqLine line = ready(10);
    line.set(true);
    assertThat(claim(SUPERVISOR)).isEqualTo(10);
    assertThat(out[SUPERVISOR]).isFalse();
    assertThat(claim(SUPERVISOR)).isZero();
    complete(SUPERVISOR, 10);
    assertThat(out[SUPERVISOR]).isTrue();
    assertThat(claim(SUPERVISOR)).isEqualTo(10);
    line.set(false);
    complete(SUPERVISOR, 10);
    assertThat(out[SUPERVISOR]).isFalse();
  }

  @Test
  void aLineThatFallsTakesItsRequestWithIt() {
    IrqLine line = ready(3);
    line.set(true);
    line.set(false);
    assertThat(out[SUPERVISOR]).isFalse();
    assertThat(claim(SUPERVISOR)).isZero();
  }

  @Test
  void theHighestPriorityWinsAndThenTheLowestNumber() {
    for (int source : new int[] {5, 70, 33, 95}) {
      ready(source).set(true);
    }
    priority(70, 3);
    priority(95, 3);
    assertThat(claim(SUPERVISOR)).isEqualTo(70);
    assertThat(claim(SUPERVISOR)).isEqualTo(95);
    assertThat(claim(SUPERVISOR)).isEqualTo(5);
    assertThat(claim(SUPERVISOR)).isEqualTo(33);
    assertThat(claim(SUPERVISOR)).isZero();
  }

  @Test
  void theThresholdMasksTheInterruptButNotTheClaim() {
    ready(10).set(true);
    threshold(SUPERVISOR, 1);
    assertThat(out[SUPERVISOR]).isFalse();
    assertThat(claim(SUPERVISOR)).isEqualTo(10);
  }

  @Test
  void aCompletionFromAContextThatHasNotEnabledTheSourceIsIgnored() {
    ready(10).set(true);
    claim(SUPERVISOR);
    complete(MACHINE, 10);
    assertThat(out[SUPERVISOR]).isFalse();
    complete(SUPERVISOR, 10);
    assertThat(out[SUPERVISOR]).isTrue();
  }

  @Test
  void aPulseStaysUntilItIsClaimed() {
    ready(PowerButton.IRQ);
    new PowerButton(plic).press();
    assertThat(out[SUPERVISOR]).isTrue();
    assertThat(claim(SUPERVISOR)).isEqualTo(PowerButton.IRQ);
    complete(SUPERVISOR, PowerButton.IRQ);
    assertThat(out[SUPERVISOR]).isFalse();
  }

  @Test
  void sourceZeroDoesNotExist() {
    priority(0, 7);
    enable(SUPERVISOR, 0);
    assertThat(plic.read(0, 4)).isZero();
    assertThat(plic.read(0x2080, 4)).isZero();
    assertThatThrownBy(() -> plic.source(0)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> plic.pulse(96)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void prioritiesHaveThreeBits() {
    priority(1, -1);
    assertThat(plic.read(4, 4)).isEqualTo(7);
  }

  @Test
  void savedStateBehavesTheSame() {
    ready(10).set(true);
    ready(20).set(true);
    priority(20, 5);
    claim(SUPERVISOR);
    boolean[] copied = new boolean[2];
    Plic other = new Plic(level -> copied[0] = level, level -> copied[1] = level);
    StateCopy.copy(plic, other);
    assertThat(copied).containsExactly(false, true);
    assertThat(other.read(0x20_1004, 4)).isEqualTo(10);
    other.write(0x20_1004, 4, 20);
    assertThat(other.read(0x20_1004, 4)).isEqualTo(20);
  }

  @Test
  void randomAccessesNeverHurt() {
    Random random = new Random(7);
    for (int i = 0; i < 200_000; i++) {
      int size = 1 << random.nextInt(4);
      long offset = (long) random.nextInt(1 << 12 + random.nextInt(12)) & -size;
      if (offset + size > Plic.LENGTH) {
        continue;
      }
      plic.write(offset, size, random.nextLong());
      plic.read(offset, size);
      plic.source(1 + random.nextInt(Plic.SOURCES)).set(random.nextBoolean());
    }
    StateCopy.copy(plic, new Plic(level -> {}, level -> {}));
  }
}
