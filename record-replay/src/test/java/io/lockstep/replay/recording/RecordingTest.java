package io.lockstep.replay.recording;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import io.lockstep.replay.MachineFactory;
import io.lockstep.replay.ToyRun;
import io.lockstep.replay.live.VcpuLoop;
import io.lockstep.replay.sim.ToyMachine;
import io.lockstep.replay.store.LogCase;
import io.lockstep.replay.store.LogStoreReader;
import io.lockstep.replay.store.SyncPolicy;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.OutputSink;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecordingTest {
  private static final MachineFactory TOY = ToyMachine::new;

  @TempDir Path temp;

  @Test
  void aRecordingReplaysFromEverySnapshot() throws Exception {
    Path directory = record(1, 6_000_000, 3);
    Recording recording = Recording.open(directory);
    assertThat(recording.snapshots()).hasSizeGreaterThanOrEqualTo(3);
    assertThat(recording.snapshots().get(2).base()).isEqualTo(1);
    for (int snapshot : recording.snapshots().keySet()) {
      ReplayVerdict verdict =
          new ReplaySession(recording, TOY, OutputSink.NONE, snapshot, new ReplayUntil.End()).run();
      assertThat(verdict).isInstanceOf(ReplayVerdict.Same.class);
      ReplayVerdict.Same same = (ReplayVerdict.Same) verdict;
      assertThat(same.log().logCase()).isEqualTo(LogCase.COMPLETE);
      assertThat(same.point()).isEqualTo(6_000_000);
      assertThat(same.digests()).isPositive();
    }
    assertThat(recording.isSealed()).isTrue();
    assertThat(recording.changedFiles()).isEmpty();
  }

  @Test
  void aMachineSavedAtAnyPointGoesOnTheSame() throws Exception {
    Path directory = record(2, 800_000, 0);
    Recording recording = Recording.open(directory);
    VirtualMachine end = replay(recording, TOY, new ReplayUntil.End()).machine();
    Random random = new Random(7);
    for (int i = 0; i < 15; i++) {
      long point = random.nextLong(800_000);
      VirtualMachine middle = replay(recording, TOY, new ReplayUntil.Point(point)).machine();
      assertThat(middle.steps()).isEqualTo(point);
      MachineFactory restoring =
          (config, outputs) -> {
            VirtualMachine copy = new ToyMachine(config, outputs);
            return copy;
          };
      VirtualMachine copy = restoring.create(recording.info().config(), OutputSink.NONE);
      copyState(middle, copy);
      assertThat(copy.digest()).isEqualTo(middle.digest());
      finish(recording, copy, point);
      assertThat(copy.digest()).as("saved at %d", point).isEqualTo(end.digest());
    }
  }

  @Test
  void aReplayStopsAtAnLsnAndAtATime() throws Exception {
    Path directory = record(3, 800_000, 0);
    Recording recording = Recording.open(directory);
    ReplaySession byLsn =
        new ReplaySession(recording, TOY, OutputSink.NONE, 0, new ReplayUntil.LsnBound(20));
    assertThat(byLsn.run())
        .isInstanceOfSatisfying(
            ReplayVerdict.Stopped.class, s -> assertThat(s.lsn()).isEqualTo(21));
    ReplaySession byTime =
        new ReplaySession(recording, TOY, OutputSink.NONE, 0, new ReplayUntil.Time(100_000));
    byTime.run();
    assertThat(byTime.machine().ticks()).isBetween(100_000L, 300_000L);
  }

  @Test
  void aMachineOfAnotherKindIsRefusedWithWhatDiffers() throws Exception {
    Recording recording = Recording.open(record(4, 100_000, 0));
    MachineFactory other =
        (config, outputs) -> new ToyMachine(ToyMachine.config(ClockMode.INSTRUCTIONS), outputs);
    assertThatThrownBy(() -> replay(recording, other, new ReplayUntil.End()))
        .isInstanceOf(RecordingException.class)
        .hasMessageContaining("clock is HOST")
        .hasMessageContaining("INSTRUCTIONS");
  }

  @Test
  void aLogOfAnotherVersionIsRefusedWithASentence() throws Exception {
    Path directory = record(8, 100_000, 0);
    Path log;
    try (Stream<Path> files = Files.list(directory.resolve("log"))) {
      log = files.filter(f -> f.toString().endsWith(".cq4")).findFirst().orElseThrow();
    }
    byte[] bytes = Files.readAllBytes(log);
    int magic = new String(bytes, StandardCharsets.ISO_8859_1).indexOf("LKSL");
    bytes[magic + 4] = 9;
    // The frame gets the right checksum, so that it is the version that is wrong and nothing else.
    int prefix = magic - 2;
    int length = (bytes[prefix] & 0x7f | bytes[prefix + 1] << 7) >>> 4;
    CRC32C crc = new CRC32C();
    crc.update(new byte[4]);
    crc.update(bytes, prefix, 2 + length);
    ByteBuffer.wrap(bytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(magic + length, (int) crc.getValue());
    Files.write(log, bytes);
    Recording recording = Recording.open(directory);
    assertThatThrownBy(() -> replay(recording, TOY, new ReplayUntil.End()))
        .isInstanceOf(RecordingException.class)
        .hasMessageContaining("the log has another format version");
  }

  @Test
  void anIncompleteMachineDivergesAndWritesABlackBox() throws Exception {
    Recording recording = Recording.open(record(5, 2_000_000, 0));
    MachineFactory faulty =
        (config, outputs) -> new ToyMachine(config, outputs, step -> step == 1_234_567 ? 1 : 0);
    ReplayVerdict verdict =
        new ReplaySession(recording, faulty, OutputSink.NONE, 0, new ReplayUntil.End()).run();
    assertThat(verdict).isInstanceOf(ReplayVerdict.Different.class);
    Path blackBox = ((ReplayVerdict.Different) verdict).blackBox();
    assertThat(Files.readString(blackBox))
        .contains("lockstep log bisect")
        .contains("Last entries")
        .contains("toy");
    assertThat(recording.changedFiles()).isEmpty();
  }

  @Test
  void aRecordingIsNotWrittenOverAnother() throws Exception {
    Path directory = record(6, 10_000, 0);
    assertThatThrownBy(() -> record(directory, 6, 10_000, 0))
        .isInstanceOf(RecordingException.class)
        .hasMessageContaining("not empty");
  }

  /**
   * Every byte of every file: it is found by verification, and what is replayed nevertheless is the
   * beginning of the recorded run.
   */
  @Test
  void aFlippedByteAnywhereIsFoundAndNeverReplayedWrongly() throws Exception {
    Path directory = record(7, 9_000, 1);
    List<Path> files;
    try (Stream<Path> walk = Files.walk(directory)) {
      files = walk.filter(Files::isRegularFile).sorted().toList();
    }
    assertThat(files).hasSizeGreaterThanOrEqualTo(5);
    Random random = new Random(1);
    for (Path file : files) {
      byte[] sound = Files.readAllBytes(file);
      // Each byte of what is small; of the queue's large, mostly empty files the log's own test
      // flips each.
      int stride = Math.max(1, sound.length / 150);
      for (int at = 0; at < sound.length; at += 1 + random.nextInt(stride)) {
        byte[] copy = sound.clone();
        copy[at] ^= (byte) (1 << random.nextInt(8));
        Files.write(file, copy);
        checkFoundAndHarmless(directory, file.getFileName() + " byte " + at);
      }
      Files.write(file, sound);
    }
  }

  private static void checkFoundAndHarmless(Path directory, String what) throws IOException {
    try {
      Recording recording = Recording.open(directory);
      assertThat(recording.changedFiles()).as(what).isNotEmpty();
      int snapshot = recording.snapshots().keySet().stream().findFirst().orElse(0);
      ReplayVerdict verdict =
          new ReplaySession(recording, TOY, OutputSink.NONE, snapshot, new ReplayUntil.End()).run();
      if (!(verdict instanceof ReplayVerdict.Same)) {
        fail(what + ": " + verdict.sentence());
      }
    } catch (RecordingException e) {
      assertThat(e.getMessage()).as(what).isNotBlank();
    }
  }

  private static ReplaySession replay(
      Recording recording, MachineFactory factory, ReplayUntil until) throws IOException {
    ReplaySession session = new ReplaySession(recording, factory, OutputSink.NONE, 0, until);
    assertThat(session.run()).isNotInstanceOf(ReplayVerdict.Different.class);
    return session;
  }

  private static void copyState(VirtualMachine from, VirtualMachine to) {
    byte[] page = new byte[GuestRam.PAGE];
    for (int n = 0; n < from.ram().pages(); n++) {
      long address = GuestRam.BASE + (long) n * GuestRam.PAGE;
      from.ram().read(address, page, 0, page.length);
      to.ram().write(address, page, 0, page.length);
    }
    StateWriter out = new StateWriter();
    from.saveState(out);
    to.restoreState(new StateReader(out.toByteArray()));
  }

  /**
   * Applies all entries behind {@code point} to a machine that stands there with the entries of
   * that point applied.
   */
  private static void finish(Recording recording, VirtualMachine machine, long point)
      throws IOException {
    try (LogStoreReader log = recording.log()) {
      io.lockstep.replay.Replayer replayer = new io.lockstep.replay.Replayer(machine, 0);
      for (var d = log.next(); d != null; d = log.next()) {
        if (d.entry().point() > point) {
          assertThat(replayer.apply(d.entry()))
              .isInstanceOf(io.lockstep.replay.Replayer.Outcome.Applied.class);
        }
      }
    }
  }

  private Path record(long seed, long haltAt, int snapshots) throws Exception {
    return record(temp.resolve("recording" + seed), seed, haltAt, snapshots);
  }

  private static Path record(Path directory, long seed, long haltAt, int snapshots)
      throws Exception {
    try (ToyRun run = new ToyRun(seed, ClockMode.HOST, haltAt);
        Recorder recorder =
            Recorder.start(
                directory,
                run.machine,
                ToyMachine.config(ClockMode.HOST),
                seed,
                Map.of("made-by", "a test"),
                SyncPolicy.NEVER,
                e -> {})) {
      VcpuLoop loop = run.loop(ClockMode.HOST, recorder.journal(), ToyRun.PACE);
      CompletableFuture<Void> all = CompletableFuture.completedFuture(null);
      for (int i = 0; i < snapshots; i++) {
        all = all.thenCompose(v -> recorder.snapshot(loop)).thenAccept(n -> {});
      }
      loop.run();
      assertThat(recorder.failure()).isNull();
    }
    return directory;
  }
}
