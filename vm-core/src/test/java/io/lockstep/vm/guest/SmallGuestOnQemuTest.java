package io.lockstep.vm.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.io.Writer;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The small guest's service, driven from outside while QEMU runs it. */
class SmallGuestOnQemuTest {
  private static final int TIMEOUT_MS = 20_000;
  private static final int SECTOR = 512;
  private static final int FIRST_RECORD = 257;

  @TempDir private Path directory;
  private Path disk;

  @BeforeEach
  void makeDisk() throws IOException {
    QemuSmallGuest.assumeInstalled();
    disk = directory.resolve("disk.raw");
    try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
      file.setLength(2 * SmallGuest.DISK_BYTES_MIN);
    }
  }

  @Test
  void acknowledgedWritesOutliveKillsOfTheMachine() throws Exception {
    long seq;
    try (QemuSmallGuest guest = boot("");
        Client client = new Client(guest.port())) {
      assertThat(client.ask("SET a 5")).isEqualTo("OK 1 5");
      assertThat(client.ask("ADD a 7")).isEqualTo("OK 2 12");
      assertThat(client.ask("APPEND 10 me")).isEqualTo("OK 3 10");
      // More than the journal holds between two checkpoints.
      for (int round = 0; round < 3; round++) {
        assertThat(client.pipeline("ADD b 1", 8000)).startsWith("OK ");
      }
      seq = 3 + 3 * 8000;
      assertThat(client.ask("GET b")).isEqualTo("OK " + seq + " 24000");
      assertThat(client.ask("STAT")).doesNotContain("checkpoints=0").contains("boot=1");
    }
    try (QemuSmallGuest guest = boot("");
        Client client = new Client(guest.port())) {
      assertThat(client.ask("GET a")).isEqualTo("OK " + seq + " 12");
      assertThat(client.ask("GET b")).isEqualTo("OK " + seq + " 24000");
      assertThat(client.ask("SET c 1")).isEqualTo("OK " + (seq + 1) + " 1");
      assertThat(client.ask("APPEND 11 me")).isEqualTo("OK " + (seq + 2) + " 11");
      assertThat(client.ask("STAT")).contains("boot=2");
    }
    try (QemuSmallGuest guest = boot("");
        Client client = new Client(guest.port())) {
      assertThat(client.ask("GET c")).isEqualTo("OK " + (seq + 2) + " 1");
      assertThat(client.ask("LEDGER me")).isEqualTo("OK " + (seq + 2) + " 11 count=2 sum=21");
      assertThat(client.ask("POWEROFF")).startsWith("OK ");
      assertThat(guest.awaitExit()).isZero();
      assertThat(guest.console()).contains("[small] power off");
    }
  }

  @Test
  void whatACrashLeftBeyondTheEndOfTheJournalNeverComesBack() throws Exception {
    try (QemuSmallGuest guest = boot("");
        Client client = new Client(guest.port())) {
      for (int value = 1; value <= 5; value++) {
        assertThat(client.ask("SET a " + value)).isEqualTo("OK " + value + " " + value);
      }
    }
    // As if 2 had been torn, but not what follows it.
    overwriteSector(FIRST_RECORD + 2);
    try (QemuSmallGuest guest = boot("");
        Client client = new Client(guest.port())) {
      assertThat(client.ask("GET a")).isEqualTo("OK 1 1");
      // With the record that begins this boot and one of two changes, the old 4 is next by number.
      assertThat(client.ask("SET b 8\nSET b 9")).isEqualTo("OK 2 8");
      assertThat(client.nextReply()).isEqualTo("OK 3 9");
      assertThat(client.ask("STAT")).contains(" batches=1 ");
    }
    try (QemuSmallGuest guest = boot("");
        Client client = new Client(guest.port())) {
      assertThat(client.ask("GET a")).isEqualTo("OK 3 1");
      assertThat(client.ask("GET b")).isEqualTo("OK 3 9");
    }
  }

  @Test
  void aDiskThatHoldsSomethingElseIsLeftAlone() throws Exception {
    overwriteSector(0);
    byte[] before = Files.readAllBytes(disk);
    try (QemuSmallGuest guest = boot("");
        Client client = new Client(guest.port())) {
      assertThat(client.ask("SET a 1")).isEqualTo("OK 1 1");
      assertThat(guest.console()).contains("disk ignored: it holds something else");
    }
    assertThat(Files.readAllBytes(disk)).isEqualTo(before);
  }

  @Test
  void theSameLinesAreServedOverUdp() throws Exception {
    try (QemuSmallGuest guest = boot("load=cpu dirty_kb=4000 beat_ms=20 nonsense");
        DatagramSocket socket = new DatagramSocket()) {
      socket.setSoTimeout(TIMEOUT_MS);
      socket.connect(InetAddress.getLoopbackAddress(), guest.port());
      assertThat(askUdp(socket, "#7 SET a 5\n")).isEqualTo("#7 OK 1 5\n");
      assertThat(askUdp(socket, "GET a")).isEqualTo("OK 1 5\n");
      assertThat(askUdp(socket, "SLEEP 50")).isEqualTo("OK 1 50\n");
      assertThat(guest.console())
          .contains("[small] beat 1 requests ")
          .contains("option not understood: nonsense");
      String stat = askUdp(socket, "STAT");
      long rounds = number(stat, "rounds");
      assertThat(rounds).isPositive();
      assertThat(number(stat, "dirtied")).isPositive();
      assertThat(number(stat, "checksum")).isEqualTo(checksumAfter(rounds));
    }
  }

  @Test
  void mistakesAreAnsweredAndDoNoHarm() throws Exception {
    try (QemuSmallGuest guest = boot("beat_ms=0");
        Client client = new Client(guest.port())) {
      assertThat(client.ask("FOO")).isEqualTo("ERR unknown-command");
      assertThat(client.ask("")).isEqualTo("ERR unknown-command");
      assertThat(client.ask("SET a")).isEqualTo("ERR bad-arguments");
      assertThat(client.ask("SET a 1 2")).isEqualTo("ERR bad-arguments");
      assertThat(client.ask("SET a -1")).isEqualTo("ERR bad-number");
      assertThat(client.ask("SET a 18446744073709551616")).isEqualTo("ERR bad-number");
      assertThat(client.ask("SET " + "k".repeat(17) + " 1")).isEqualTo("ERR bad-name");
      assertThat(client.ask("GET a")).isEqualTo("ERR no-such-key");
      assertThat(client.ask("LEDGER a")).isEqualTo("ERR no-such-ledger");
      assertThat(client.ask("SLEEP 60001")).isEqualTo("ERR too-long");
      assertThat(client.ask("x".repeat(50_000))).isEqualTo("ERR too-long");
      assertThat(client.ask("APPEND 5")).isEqualTo("OK 1 5");
      assertThat(client.ask("APPEND 5")).isEqualTo("OK 1 5");
      assertThat(client.ask("APPEND 4")).isEqualTo("ERR not-increasing 5");
      assertThat(client.ask("SET a 18446744073709551615")).isEqualTo("OK 2 18446744073709551615");
      assertThat(client.ask("ADD a 3")).isEqualTo("OK 3 2");
      for (int i = 1; i < 1024; i++) {
        assertThat(client.ask("SET key" + i + " 1")).startsWith("OK ");
      }
      assertThat(client.ask("SET one-more 1")).isEqualTo("ERR full");
      assertThat(client.ask("#tag GET key7\r")).isEqualTo("#tag OK 1026 1");
    }
  }

  private QemuSmallGuest boot(String commandLine) throws IOException, InterruptedException {
    return QemuSmallGuest.withForwardedPort(directory, disk, commandLine);
  }

  private void overwriteSector(long sector) throws IOException {
    byte[] garbage = new byte[SECTOR];
    garbage[SECTOR - 1] = 1;
    try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
      file.seek(sector * SECTOR);
      file.write(garbage);
    }
  }

  private static String askUdp(DatagramSocket socket, String text) throws IOException {
    byte[] request = text.getBytes(StandardCharsets.US_ASCII);
    socket.send(new DatagramPacket(request, request.length));
    DatagramPacket reply = new DatagramPacket(new byte[2048], 2048);
    socket.receive(reply);
    return new String(reply.getData(), 0, reply.getLength(), StandardCharsets.US_ASCII);
  }

  private static long number(String stat, String name) {
    String after = stat.substring(stat.indexOf(" " + name + "=") + name.length() + 2);
    return Long.parseUnsignedLong(after.split("[ \n]", 2)[0]);
  }

  private static long checksumAfter(long rounds) {
    long checksum = 0;
    for (long n = 0; n < rounds; n++) {
      long x = (checksum ^ n) * 0x100000001b3L;
      checksum = x ^ (x >>> 29);
    }
    return checksum;
  }

  /** One TCP connection to the service. */
  private static final class Client implements AutoCloseable {
    private final Socket socket;
    private final BufferedReader in;
    private final Writer out;

    Client(int port) throws IOException {
      socket = new Socket(InetAddress.getLoopbackAddress(), port);
      socket.setSoTimeout(TIMEOUT_MS);
      socket.setTcpNoDelay(true);
      in =
          new BufferedReader(
              new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
      out = new java.io.OutputStreamWriter(socket.getOutputStream(), StandardCharsets.US_ASCII);
    }

    String ask(String request) throws IOException {
      out.write(request + "\n");
      out.flush();
      return nextReply();
    }

    String nextReply() throws IOException {
      return in.readLine();
    }

    /** Sends a request many times without waiting; returns the last reply. */
    String pipeline(String request, int times) throws IOException, InterruptedException {
      List<IOException> failures = new ArrayList<>();
      Thread writer =
          Thread.ofVirtual()
              .start(
                  () -> {
                    try {
                      out.write((request + "\n").repeat(times));
                      out.flush();
                    } catch (IOException e) {
                      failures.add(e);
                    }
                  });
      String last = "";
      for (int i = 0; i < times; i++) {
        last = in.readLine();
      }
      writer.join();
      assertThat(failures).isEmpty();
      return last;
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }
}
