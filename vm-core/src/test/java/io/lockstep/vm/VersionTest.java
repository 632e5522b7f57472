package io.lockstep.vm;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class VersionTest {
  @Test
  void theVersionStartsWithThreeNumbers() {
    assertThat(Version.LOCKSTEP).matches("\\d+\\.\\d+\\.\\d+(-.+)?");
  }
}
