package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.lockstep.vm.engine.x86.CodeSpace;
import io.lockstep.vm.guest.SmallGuest;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code lockstep run} as its user has it: a process, its terminal, its signals, its exit status.
 */
@Timeout(300)
class RunProcessTest {
  @TempDir private Path directory;

  private RunProcess typingGuest(String... more) throws Exception {
    Path kernel = TypingGuest.write(directory.resolve("typing.elf"));
    String[] first = {"run", "--memory", "4M", "--kernel", kernel.toString()};
    String[] all = Arrays.copyOf(first, first.length + more.length);
    System.arraycopy(more, 0, all, first.length, more.length);
    return RunProcess.start(all);
  }

  @Test
  void whatComesInIsTypedAndPowerOffIsStatusZero() throws Exception {
    try (RunProcess vm = typingGuest("--stats")) {
      vm.awaitOut(TypingGuest.BANNER).type("hello\001\003").awaitOut("hello\001\003").type("q");
      assertThat(vm.status()).isZero();
      assertThat(vm.err()).containsPattern("[0-9,]+ instructions in .* MIPS.* traps.* TLB misses");
    }
  }

  @Test
  void aGuestThatComputesDoesSoInMachineCodeWhereTheHostAllowsIt() throws Exception {
    try (RunProcess vm = RunProcess.start("run", "--stats", "--append", "load=cpu beat_ms=100")) {
      vm.awaitOut("[small] beat 8 ").signal("TERM").status();
      assertThat(vm.err())
          .containsPattern(
              "(9\\d\\.\\d|100\\.0) % of [0-9,]+ steps in "
                  + (CodeSpace.isPossible() ? "machine code" : "compiled bytecode"));
    }
  }

  @Test
  void aReportedFailureIsStatusOne() throws Exception {
    try (RunProcess vm = typingGuest()) {
      vm.awaitOut(TypingGuest.BANNER).type("f");
      assertThat(vm.status()).isEqualTo(ExitStatus.FAILURE);
      assertThat(vm.err())
          .isEqualToIgnoringNewLines(
              "lockstep: the guest has switched itself off and reported a failure.");
    }
  }

  @Test
  void aRebootStartsTheGuestAgain() throws Exception {
    try (RunProcess vm = typingGuest()) {
      vm.awaitOut(TypingGuest.BANNER).type("r").awaitOut(TypingGuest.BANNER, 2).type("q");
      assertThat(vm.status()).isZero();
    }
  }

  @Test
  void aRebootIsTheEndIfTheUserSaysSo() throws Exception {
    try (RunProcess vm = typingGuest("--no-reboot")) {
      vm.awaitOut(TypingGuest.BANNER).type("r");
      assertThat(vm.status()).isZero();
      assertThat(vm.out()).isEqualTo(TypingGuest.BANNER);
    }
  }

  @Test
  void theEndOfTheInputDoesNotStopTheMachineAndASignalDoes() throws Exception {
    try (RunProcess vm = typingGuest("--console-log", directory.resolve("log").toString())) {
      vm.type("abc").endInput().awaitOut("abc");
      assertThat(vm.isAlive()).isTrue();
      assertThat(vm.signal("TERM").status()).isEqualTo(128 + 15);
      assertThat(vm.err()).isEmpty();
      assertThat(Files.readString(directory.resolve("log"))).isEqualTo(TypingGuest.BANNER + "abc");
    }
  }

  @Test
  void ctrlCStopsTheMachineWhenThereIsNoTerminal() throws Exception {
    try (RunProcess vm = typingGuest()) {
      vm.awaitOut(TypingGuest.BANNER);
      assertThat(vm.signal("INT").status()).isEqualTo(128 + 2);
      assertThat(vm.err()).isEmpty();
    }
  }

  @Test
  void aFilePipedInIsTypedWithoutLoss() throws Exception {
    // The guest's UART keeps a bounded number of bytes; much more than that is typed here.
    String text =
        java.util.stream.IntStream.range(0, 20_000)
            .mapToObj("%06d\n"::formatted)
            .collect(Collectors.joining());
    try (RunProcess vm = typingGuest()) {
      vm.type(text).type("q");
      assertThat(vm.status()).isZero();
      assertThat(vm.out()).isEqualTo(TypingGuest.BANNER + text);
    }
  }

  /** The shell command that runs the guest; skips the test where there are no terminals. */
  private String typingGuestOnATerminal() throws Exception {
    assumeTrue(
        Files.isExecutable(Path.of("/usr/bin/script")),
        "needs the command script: install Debian's package bsdutils");
    Path kernel = TypingGuest.write(directory.resolve("typing.elf"));
    String lockstep =
        RunProcess.command().stream().map(w -> "'" + w + "'").collect(Collectors.joining(" "));
    return "%s run --memory 4M --kernel '%s'".formatted(lockstep, kernel);
  }

  private static RunProcess onATerminal(String session) throws Exception {
    return RunProcess.start(new ProcessBuilder("/usr/bin/script", "-qec", session, "/dev/null"));
  }

  /** The session says the terminal's settings first and last. */
  private static void assertThatTheTerminalIsAsBefore(RunProcess terminal) throws Exception {
    assertThat(terminal.status()).isZero();
    String[] lines = terminal.out().strip().split("\r\n");
    assertThat(lines[lines.length - 1]).isEqualTo(lines[0]).matches("[0-9a-f:]{50,}");
  }

  @Test
  void onATerminalKeysGoToTheGuestAndTheTerminalIsGivenBack() throws Exception {
    String run = typingGuestOnATerminal();
    String session = "stty -g; %s; echo status $?; stty -g".formatted(run);
    try (RunProcess terminal = onATerminal(session)) {
      terminal.awaitOut(TypingGuest.BANNER.strip());
      // Ctrl-C, Ctrl-Z and Ctrl-D are the guest's; Ctrl-A is doubled.
      terminal.type("a\003\032\004\001\001b").awaitOut("a\003\032\004\001b");
      terminal.type("\001h").awaitOut("Ctrl-A x  stop the machine");
      terminal.type("\001x").awaitOut("status 0");
      assertThatTheTerminalIsAsBefore(terminal);
    }
  }

  @Test
  void aTerminalIsGivenBackAfterASignal() throws Exception {
    String run = typingGuestOnATerminal();
    String session =
        "stty -g; { %s & } <&0; vm=$!; read -r go < '%s'; kill $vm; wait $vm; echo status $?; stty -g"
            .formatted(run, directory.resolve("go"));
    assertThat(new ProcessBuilder("mkfifo", directory.resolve("go").toString()).start().waitFor())
        .isZero();
    try (RunProcess terminal = onATerminal(session)) {
      terminal.awaitOut(TypingGuest.BANNER.strip());
      terminal.type("abc").awaitOut("abc");
      Files.writeString(directory.resolve("go"), "go\n");
      terminal.awaitOut("status 143");
      assertThatTheTerminalIsAsBefore(terminal);
    }
  }

  @Test
  void theSmallGuestServesThroughAForwardAndKeepsItsJournal() throws Exception {
    Path disk = directory.resolve("disk.img");
    try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
      file.setLength(SmallGuest.DISK_BYTES_MIN);
    }
    for (int boot = 1; boot <= 2; boot++) {
      Path capture = directory.resolve("boot" + boot + ".pcap");
      try (RunProcess vm =
          RunProcess.start(
              "run",
              "--disk",
              disk.toString(),
              "--net",
              "user,forward=tcp:0::" + SmallGuest.PORT,
              "--pcap",
              capture.toString())) {
        vm.awaitOut("[small] ready").awaitErr("forward ");
        assertThat(askThenPowerOff(port(vm.err()), "ADD boots 1")).endsWith(" " + boot);
        assertThat(vm.status()).isZero();
      }
      assertThat(Files.size(capture)).isGreaterThan(500);
    }
  }

  private static int port(String messages) {
    Matcher m = Pattern.compile("forward tcp:127\\.0\\.0\\.1:(\\d+):").matcher(messages);
    assertThat(m.find()).isTrue();
    return Integer.parseInt(m.group(1));
  }

  private static String askThenPowerOff(int port, String request) throws Exception {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      socket
          .getOutputStream()
          .write((request + "\nPOWEROFF\n").getBytes(StandardCharsets.US_ASCII));
      var in =
          new BufferedReader(
              new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
      String reply = in.readLine();
      assertThat(in.readLine()).startsWith("OK");
      return reply;
    }
  }
}
