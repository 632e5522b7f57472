package io.lockstep.host.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class TapTest {
  private static final String NAME = "lstest" + ProcessHandle.current().pid() % 100_000;

  private static boolean run(String... command) {
    try {
      return new ProcessBuilder(command).redirectErrorStream(true).start().waitFor() == 0;
    } catch (IOException | InterruptedException e) {
      return false;
    }
  }

  private static Tap openOrSkip() {
    assumeTrue(run("ip", "-V"), "ip is not installed; install the Debian package iproute2");
    try {
      return Tap.open(NAME);
    } catch (IOException e) {
      assumeTrue(false, "no TAP device can be made here: " + e.getMessage());
      throw new AssertionError(e);
    }
  }

  @Test
  void framesGoInAndOut() throws Exception {
    Tap tap = openOrSkip();
    try {
      assumeTrue(run("ip", "link", "set", NAME, "up"), "the TAP device cannot be brought up here");
      // The kernel itself greets the network of a new interface (IPv6 neighbour discovery).
      byte[] frame = L2Switch.reverseArp(0x5254_0000_0001L);
      assertThat(tap.write(frame, 0, frame.length)).isTrue();
      Path received = Path.of("/sys/class/net", NAME, "statistics", "rx_packets");
      assertThat(Files.readString(received).strip()).isEqualTo("1");
      if (Files.exists(Path.of("/proc/sys/net/ipv6/conf", NAME))) {
        byte[] buffer = new byte[2000];
        assertThat(tap.read(buffer)).isGreaterThan(14);
      }
    } finally {
      tap.close();
      tap.release();
    }
    assertThat(Path.of("/sys/class/net", NAME)).doesNotExist();
  }

  @Test
  void aDeviceInUseIsSaidPlainly() throws Exception {
    Tap tap = openOrSkip();
    try {
      assertThatThrownBy(() -> Tap.open(NAME))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("another process");
    } finally {
      tap.release();
    }
  }

  @Test
  void aBadNameIsSaidPlainly() {
    assertThatThrownBy(() -> Tap.open("no name/at all"))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("no name");
  }
}
