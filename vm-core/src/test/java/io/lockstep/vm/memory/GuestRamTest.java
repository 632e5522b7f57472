package io.lockstep.vm.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.lockstep.vm.digest.RamDigest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class GuestRamTest {
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final long LARGE = 3L << 30;
  private static final long SMALL = 1L << 20;

  private static long residentBytes() throws IOException {
    for (String line : Files.readAllLines(STATUS)) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("\\D", "")) << 10;
      }
    }
    throw new IOException("no VmRSS in " + STATUS);
  }

  @Test
  void whatIsNotTouchedCostsNothing() throws IOException {
    assumeTrue(Files.exists(STATUS), "needs Linux's /proc");
    long before = residentBytes();
    GuestRam ram = new GuestRam(LARGE);
    long last = GuestRam.BASE + LARGE - 8;
    ram.putLong(GuestRam.BASE, 1);
    ram.putLong(last, 2);
    assertThat(new RamDigest(ram).update()).isNotZero();
    assertThat(residentBytes() - before).isLessThan(LARGE / 4);
    assertThat(ram.getLong(GuestRam.BASE)).isEqualTo(1);
    assertThat(ram.getLong(last)).isEqualTo(2);
    assertThat(ram.getLong(last - 8)).isZero();
  }

  @Test
  void theDigestDependsOnContentsAlone() {
    GuestRam written = new GuestRam(SMALL);
    GuestRam untouched = new GuestRam(SMALL);
    RamDigest first = new RamDigest(written);
    RamDigest second = new RamDigest(untouched);
    written.putLong(GuestRam.BASE + 8192, 5);
    assertThat(first.update()).isNotEqualTo(second.update());
    written.zero(GuestRam.BASE, SMALL);
    assertThat(first.update()).isEqualTo(second.update());
  }

  @Test
  void whatWasEverWrittenIsKnownWhoeverHasLooked() {
    GuestRam ram = new GuestRam(SMALL);
    assertThat(ram.flags()).containsOnly(0);
    ram.putInt(GuestRam.BASE + GuestRam.PAGE - 2, -1);
    new RamDigest(ram).update();
    assertThat(ram.flags()[0] & ram.flags()[1] & GuestRam.WRITTEN).isNotZero();
    assertThat(ram.flags()[2]).isZero();
  }
}
