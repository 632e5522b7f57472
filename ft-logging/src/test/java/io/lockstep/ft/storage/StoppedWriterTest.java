package io.lockstep.ft.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.lockstep.ft.protocol.ClaimKind;
import io.lockstep.ft.protocol.ClaimResult;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.ReplicaId;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** With real processes and signals: one is stopped amid its writes, and wakes up too late. */
class StoppedWriterTest {
  private static final int SECTORS = 16_384;
  private static final int RELEASED = 300;
  private static final int SEEN = 40;

  @TempDir Path dir;

  private record Write(int sector, int sectors, byte value) {
    String line() {
      return sector + " " + sectors + " " + value;
    }

    byte[] data() {
      byte[] data = new byte[sectors * SharedDisk.SECTOR];
      Arrays.fill(data, value);
      return data;
    }
  }

  private final Random random = new Random(7);
  private final byte[] expected = new byte[SECTORS * SharedDisk.SECTOR];

  private Write newWrite(int sectorsMax) {
    int sectors = 1 + random.nextInt(sectorsMax);
    Write w =
        new Write(random.nextInt(SECTORS - sectors), sectors, (byte) (1 + random.nextInt(120)));
    byte[] data = w.data();
    System.arraycopy(data, 0, expected, w.sector() * SharedDisk.SECTOR, data.length);
    return w;
  }

  @Test
  void aProcessThatWasStoppedAmidItsWritesAndWakesUpWritesNoByteThatAnyoneReads() throws Exception {
    assumeTrue(
        Files.isDirectory(Path.of("/proc/self")), "Signals are seen in /proc, which Linux has.");
    Path base = Files.write(dir.resolve("disk.img"), expected);
    StorageDirectory storage = StorageDirectory.open(dir.resolve("s"), "web");
    Process writer = startWriter(storage, base);
    try (BufferedReader out = writer.inputReader();
        PrintStream in = new PrintStream(writer.getOutputStream(), true, StandardCharsets.UTF_8);
        EpochStore epochs =
            new EpochStore(storage, new ReplicaId(new UUID(0, 2)), "b", Duration.ofSeconds(60))) {
      expect(out, "ready");
      SharedDiskFollower follower = SharedDisk.follow(storage, "root", base);
      for (int i = 0; i < SEEN; i++) {
        in.println(newWrite(100).line());
      }
      in.println("flush");
      expectDone(out, SEEN + 1);
      follower.prepare();

      // From here on no flush: all of it is issued again by the survivor, done or not.
      List<Write> released = new ArrayList<>();
      for (int i = 0; i < RELEASED; i++) {
        released.add(newWrite(2000));
      }
      // The second half is in its pipe when it stops, and is what it surely does when it wakes up.
      released.subList(0, RELEASED / 2).forEach(w -> in.println(w.line()));
      expectDone(out, SEEN);
      signal(writer, "STOP");
      awaitStopped(writer);
      released.subList(RELEASED / 2, RELEASED).forEach(w -> in.println(w.line()));
      writer.getOutputStream().close();

      assertThat(epochs.claim(new Epoch(2), ClaimKind.ALONE).join())
          .isEqualTo(new ClaimResult.Won());
      try (SharedDisk disk = follower.goLive(new Epoch(2))) {
        for (Write w : released) {
          write(disk, w);
        }
        for (int i = 0; i < SEEN; i++) {
          write(disk, newWrite(100));
        }
        assertThat(LayerMerger.mergeOldest(disk)).as("the stopped owner has its lock").isFalse();
        byte[] stopped = Files.readAllBytes(storage.disk("root").resolve(LayerNames.data(1)));

        signal(writer, "CONT");
        String last = "";
        for (String line = out.readLine(); line != null; line = out.readLine()) {
          last = line;
        }

        assertThat(last).isEqualTo("fenced by epoch 2");
        assertThat(writer.waitFor()).isEqualTo(3);
        byte[] woken = Files.readAllBytes(storage.disk("root").resolve(LayerNames.data(1)));
        assertThat(Arrays.mismatch(stopped, woken)).as("it did write, late").isNotNegative();
        assertThat(Arrays.mismatch(content(disk), expected)).isNegative();
        assertThat(Arrays.mismatch(Files.readAllBytes(base), new byte[expected.length]))
            .as("the base is untouched")
            .isNegative();
        assertThat(LayerMerger.mergeOldest(disk)).isTrue();
        assertThat(Arrays.mismatch(content(disk), expected)).isNegative();
      }
      SharedDisk.merge(storage, "root", base, (copied, of) -> {});
      assertThat(Arrays.mismatch(Files.readAllBytes(base), expected)).isNegative();
    } finally {
      writer.destroyForcibly().waitFor();
    }
  }

  private static Process startWriter(StorageDirectory storage, Path base) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            StoppedWriter.class.getName(),
            storage.root().toString(),
            base.toString())
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start();
  }

  private static void write(SharedDisk disk, Write w) throws StorageException {
    disk.write((long) w.sector() * SharedDisk.SECTOR, ByteBuffer.wrap(w.data()));
  }

  private static byte[] content(SharedDisk disk) throws StorageException {
    ByteBuffer all = ByteBuffer.allocate(SECTORS * SharedDisk.SECTOR);
    disk.read(0, all);
    return all.array();
  }

  private static void expectDone(BufferedReader out, int times) throws IOException {
    for (int i = 0; i < times; i++) {
      expect(out, "done");
    }
  }

  private static void expect(BufferedReader out, String line) throws IOException {
    assertThat(out.readLine()).isEqualTo(line);
  }

  private static void signal(Process process, String name) throws Exception {
    var kill = new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start();
    assertThat(kill.waitFor()).isZero();
  }

  private static void awaitStopped(Process process) throws IOException {
    Path stat = Path.of("/proc", Long.toString(process.pid()), "stat");
    while (!Files.readString(stat).contains(") T ")) {
      Thread.onSpinWait();
    }
  }
}
