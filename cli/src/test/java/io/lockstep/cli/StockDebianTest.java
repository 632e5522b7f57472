package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Programs from Debian's packages give the right answers in the guest. Takes minutes and an image,
 * so it runs only when asked for:
 *
 * <pre>
 * lockstep image build dev --include gcc,libc6-dev,python3,sqlite3,openssl,redis-server,redis-tools
 * mvn -pl cli -am test -Dtest=StockDebianTest -Dlockstep.guest=$PWD/dev
 * </pre>
 */
class StockDebianTest {
  private static final String GUEST = System.getProperty("lockstep.guest", "");
  private static final long MINUTES_MAX = 30;

  /** Commands, without double quotes and short: the kernel's command line has 1,024 characters. */
  private static final String COMMANDS =
      String.join(
          "; ",
          "python3 -c 'import math; print(sum(i*i for i in range(200000)), math.sin(1e22))'",
          "sqlite3 :memory: 'with recursive n(i) as (select 1 union all select i+1 from n"
              + " where i<20000) select count(*), sum(i/4.0) from n'",
          "echo 'int f(int n){return n<2?n:f(n-1)+f(n-2);} int main(){return f(25)==75025?42:1;}'"
              + " > /tmp/f.c",
          "gcc -O2 -o /tmp/f /tmp/f.c; /tmp/f; echo gcc=$?",
          "printf abc | openssl dgst -sha512",
          "openssl speed -seconds 1 -bytes 1024 sha256 2>&1 | tail -1",
          "redis-cli set a 41",
          "echo redis=$(redis-cli incr a)");

  @TempDir private Path directory;

  @Test
  void programsGiveTheRightAnswers() throws Exception {
    assumeTrue(!GUEST.isEmpty(), "needs -Dlockstep.guest=DIR, an image made as the comment says");
    Path out = directory.resolve("out");
    List<String> command = new ArrayList<>(RunProcess.command());
    command.remove("-XX:TieredStopAtLevel=1");
    command.addAll(List.of("run", "--image", GUEST, "--append"));
    command.add("quiet lockstep.run=\"" + COMMANDS + "\" lockstep.poweroff");
    Process vm =
        new ProcessBuilder(command)
            .redirectInput(Path.of("/dev/null").toFile())
            .redirectErrorStream(true)
            .redirectOutput(out.toFile())
            .start();
    try {
      assertThat(vm.waitFor(MINUTES_MAX, TimeUnit.MINUTES)).as("it ends").isTrue();
    } finally {
      vm.destroyForcibly();
    }
    assertThat(Files.readString(out))
        .contains("2666646666700000 -0.8522008497671888")
        .contains("20000|50002500.0")
        .contains("gcc=42")
        .contains("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a")
        .containsPattern("sha256 +[0-9.]+k")
        .contains("redis=42");
    assertThat(vm.exitValue()).isZero();
  }
}
