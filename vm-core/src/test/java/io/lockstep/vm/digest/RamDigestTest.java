package io.lockstep.vm.digest;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.memory.GuestRam;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RamDigestTest {
  private static final int PAGES = 100;

  private final GuestRam ram = new GuestRam(PAGES * (long) GuestRam.PAGE);
  private final RamDigest digest = new RamDigest(ram);

  private void write(Random random) {
    long page = random.nextInt(PAGES);
    ram.putLong(GuestRam.BASE + page * GuestRam.PAGE + random.nextInt(8) * 8L, random.nextInt(3));
  }

  /** As the caller of {@link RamDigest#update} does. */
  private long update() {
    long sum = digest.update();
    for (int page = 0; page < PAGES; page++) {
      ram.flags()[page] &= ~GuestRam.DIRTY_DIGEST;
    }
    return sum;
  }

  @Test
  void partsBetweenWritesDoNotChangeTheDigest() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int i = 0; i < 2_000; i++) {
      write(random);
      if (random.nextInt(4) == 0) {
        digest.updatePart(1 + random.nextInt(5));
      }
      if (random.nextInt(20) == 0) {
        assertThat(update()).as("seed %d, after %d writes", seed, i).isEqualTo(anew());
      }
    }
  }

  private long anew() {
    GuestRam copy = new GuestRam(ram.size());
    byte[] all = new byte[(int) ram.size()];
    ram.read(GuestRam.BASE, all, 0, all.length);
    copy.write(GuestRam.BASE, all, 0, all.length);
    return new RamDigest(copy).update();
  }

  @Test
  void partsComeToAnEndWhenNothingMoreIsWritten() {
    ram.zero(GuestRam.BASE, ram.size());
    for (int part = 0; part < 10; part++) {
      assertThat(digest.updatePart(PAGES / 10)).isEqualTo(PAGES / 10);
    }
    assertThat(digest.updatePart(PAGES / 10)).isZero();
  }
}
