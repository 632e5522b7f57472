package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.guest.SmallGuest;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What came over the network is in the recording: a replay needs none. */
@Timeout(300)
class RecordedNetworkTest {
  private static final int REQUESTS = 3_000;

  @TempDir private Path directory;

  @Test
  void aRunUnderNetworkLoadReplaysWithEqualDigestsAndNoNetwork() throws Exception {
    String recording = directory.resolve("recording").toString();
    try (RunProcess vm =
        RunProcess.start(
            "record", "--out", recording, "--net", "user,forward=tcp:0::" + SmallGuest.PORT)) {
      vm.awaitOut("[small] ready").awaitErr("forward ");
      load(port(vm.err()));
      assertThat(vm.status()).isZero();
    }
    try (RunProcess log = RunProcess.start("log", "stats", recording)) {
      assertThat(log.status()).isZero();
      assertThat(packets(log.out())).isGreaterThan(100);
    }
    List<String> replay = new ArrayList<>(withoutNetwork());
    replay.addAll(RunProcess.command());
    replay.addAll(List.of("replay", recording, "--verify"));
    try (RunProcess vm = RunProcess.start(new ProcessBuilder(replay))) {
      assertThat(vm.status()).isZero();
      Matcher verdict = Pattern.compile("is the same .* \\((\\d+) digests").matcher(vm.out());
      assertThat(verdict.find()).as(vm.out()).isTrue();
      assertThat(Integer.parseInt(verdict.group(1))).isPositive();
    }
  }

  /** Prefix of a command that shuts it off from every network, where the host lets us do that. */
  private static List<String> withoutNetwork() throws Exception {
    List<String> prefix = List.of("unshare", "--map-root-user", "--net");
    List<String> probe = new ArrayList<>(prefix);
    probe.add("true");
    try {
      return new ProcessBuilder(probe).start().waitFor() == 0 ? prefix : List.of();
    } catch (java.io.IOException e) {
      return List.of();
    }
  }

  private static int port(String messages) {
    Matcher m = Pattern.compile("forward tcp:127\\.0\\.0\\.1:(\\d+):").matcher(messages);
    assertThat(m.find()).isTrue();
    return Integer.parseInt(m.group(1));
  }

  private static int packets(String stats) {
    Matcher m = Pattern.compile("(?i)packet\\D*([0-9,]+)").matcher(stats);
    assertThat(m.find()).as(stats).isTrue();
    return Integer.parseInt(m.group(1).replace(",", ""));
  }

  /** Requests that wait for their replies, and many at once, over one connection. */
  private static void load(int port) throws Exception {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      socket.setTcpNoDelay(true);
      BufferedReader in =
          new BufferedReader(
              new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
      for (int i = 1; i <= 100; i++) {
        socket.getOutputStream().write("ADD n 1\n".getBytes(StandardCharsets.US_ASCII));
        assertThat(in.readLine()).endsWith(" " + i);
      }
      byte[] many = "ADD n 1\n".repeat(REQUESTS).getBytes(StandardCharsets.US_ASCII);
      Thread writer =
          Thread.ofVirtual()
              .start(
                  () -> {
                    try {
                      socket.getOutputStream().write(many);
                    } catch (java.io.IOException e) {
                      // The reader finds out.
                    }
                  });
      for (int i = 101; i <= 100 + REQUESTS; i++) {
        assertThat(in.readLine()).endsWith(" " + i);
      }
      writer.join();
      socket.getOutputStream().write("POWEROFF\n".getBytes(StandardCharsets.US_ASCII));
      assertThat(in.readLine()).startsWith("OK");
    }
  }
}
