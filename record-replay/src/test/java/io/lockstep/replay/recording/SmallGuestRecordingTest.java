package io.lockstep.replay.recording;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.replay.MachineFactory;
import io.lockstep.replay.Replayer;
import io.lockstep.replay.divergence.CacheDroppingMachine;
import io.lockstep.replay.live.HostClock;
import io.lockstep.replay.live.OutputGate;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.replay.live.VcpuLoop;
import io.lockstep.replay.log.DecodeResult.Decoded;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.store.LogStoreReader;
import io.lockstep.replay.store.SyncPolicy;
import io.lockstep.vm.engine.EngineOptions;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.guest.SmallGuest;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The real machine, with a real guest that computes, writes memory and a disk. */
@Timeout(300)
class SmallGuestRecordingTest {
  private static final int DISK_SECTORS = 4096;
  private static final int SNAPSHOTS = 3;

  /** Between two snapshots, and from the last one to the end. */
  private static final long STEPS = 20_000_000;

  @TempDir Path temp;
  private Recording recording;
  private final byte[] disk = new byte[DISK_SECTORS * 512];
  private final ByteArrayOutputStream console = new ByteArrayOutputStream();

  @BeforeEach
  void record() throws Exception {
    MachineConfig config =
        new MachineConfig(
            32L << 20,
            ClockMode.HOST,
            MachineConfig.Firmware.BUILT_IN,
            0,
            List.of(new VirtioSlot.Block(DISK_SECTORS, false, "")));
    OutputRelay relay = new OutputRelay();
    Machine machine = new Machine(config, relay);
    machine.boot(
        KernelLoader.Images.of(SmallGuest.elf(), new byte[0]),
        "beat_ms=20 load=cpu dirty_kb=4096 dirty_span_kb=2048");
    try (Recorder recorder =
        Recorder.start(
            temp.resolve("recording"), machine, config, 5, Map.of(), SyncPolicy.NEVER, e -> {})) {
      VcpuLoop[] loop = new VcpuLoop[1];
      List<CompletableFuture<Integer>> snapshots = new ArrayList<>();
      AtomicLong end = new AtomicLong(Long.MAX_VALUE);
      OutputGate gate = OutputGate.passingTo(o -> serve(o, loop[0]));
      loop[0] =
          new VcpuLoop(
              machine,
              relay,
              ClockMode.HOST,
              HostClock.startingAt(0),
              entry -> {
                long lsn = recorder.journal().append(entry);
                if (snapshots.size() < SNAPSHOTS
                    && entry.point() > STEPS * (snapshots.size() + 1)) {
                  snapshots.add(recorder.snapshot(loop[0]));
                }
                // However quick the guest is, there is something behind the last snapshot.
                if (snapshots.size() == SNAPSHOTS
                    && snapshots.stream().allMatch(CompletableFuture::isDone)) {
                  end.compareAndSet(Long.MAX_VALUE, entry.point() + STEPS);
                }
                if (entry.point() > end.get()) {
                  loop[0].stop(LogEntry.EndReason.STOPPED);
                }
                return lsn;
              },
              gate,
              new VcpuLoop.Pace(20_000, 100_000, 1, 20_000));
      loop[0].run();
    }
    recording = Recording.open(temp.resolve("recording"));
  }

  private void serve(Output output, VcpuLoop loop) {
    switch (output) {
      case Output.ConsoleBytes o -> console.writeBytes(o.data());
      case Output.BlockRequest o -> {
        byte[] read = new byte[0];
        int at = (int) o.sector() * 512;
        switch (o.op()) {
          case READ -> read = java.util.Arrays.copyOfRange(disk, at, at + (int) o.length());
          case WRITE -> System.arraycopy(o.data(), 0, disk, at, o.data().length);
          case FLUSH, DISCARD, WRITE_ZEROES -> {}
        }
        loop.offer(
            new Input.BlockCompletion(o.device(), o.requestId(), Input.BlockStatus.OK, read));
      }
      case Output.PacketSent o -> {}
      case Output.EntropyRequest o -> {}
    }
  }

  @Test
  void itReplaysTheSameFromEverySnapshotAndPrintsTheSame() throws Exception {
    assertThat(recording.snapshots()).hasSizeGreaterThan(1);
    for (int snapshot : recording.snapshots().keySet()) {
      ByteArrayOutputStream shown = new ByteArrayOutputStream();
      OutputSink sink =
          o -> {
            if (o instanceof Output.ConsoleBytes b) {
              shown.writeBytes(b.data());
            }
          };
      ReplayVerdict verdict =
          new ReplaySession(recording, Machine::new, sink, snapshot, new ReplayUntil.End()).run();
      assertThat(verdict.sentence()).startsWith("The replay is the same");
      assertThat(((ReplayVerdict.Same) verdict).digests()).isPositive();
      assertThat(console.toString(StandardCharsets.US_ASCII))
          .endsWith(shown.toString(StandardCharsets.US_ASCII));
      if (snapshot == 0) {
        assertThat(shown.toString(StandardCharsets.US_ASCII))
            .isEqualTo(console.toString(StandardCharsets.US_ASCII))
            .contains("[small] ready");
      }
    }
  }

  @Test
  void itReplaysTheSameWithTheInterpreterAlone() throws Exception {
    replaysTheSame((config, out) -> new Machine(config, out, EngineOptions.INTERPRETER));
  }

  @Test
  void itReplaysTheSameWithRegionsFromTheFirstJumpOn() throws Exception {
    // So few units that they are dropped and made again all the time.
    replaysTheSame(
        (config, out) ->
            new Machine(config, out, EngineOptions.eager(EngineOptions.Mode.REGIONS, 1, 40)));
  }

  @Test
  void itReplaysTheSameWithTheEnginesCachesDroppedAtRandom() throws Exception {
    List<CacheDroppingMachine> machines = new ArrayList<>();
    replaysTheSame(
        (config, out) -> {
          machines.add(new CacheDroppingMachine(new Machine(config, out), 1));
          return machines.getLast();
        });
    // The one that replays from the start: how far the last snapshot is from the end is chance.
    assertThat(machines.getFirst().drops()).isGreaterThan(3);
  }

  private void replaysTheSame(MachineFactory factory) throws Exception {
    for (int snapshot : recording.snapshots().keySet()) {
      ReplayVerdict verdict =
          new ReplaySession(recording, factory, OutputSink.NONE, snapshot, new ReplayUntil.End())
              .run();
      assertThat(verdict.sentence()).startsWith("The replay is the same");
      assertThat(((ReplayVerdict.Same) verdict).digests()).isPositive();
    }
  }

  @Test
  void itReplaysTheSameWithTheEnginesCachesDroppedBetweenEntries() throws Exception {
    Random random = new Random(1);
    Machine machine = (Machine) recording.restore(Machine::new, OutputSink.NONE, 0);
    Replayer replayer = new Replayer(machine, 0);
    try (LogStoreReader log = recording.log()) {
      for (Decoded d = log.next(); d != null; d = log.next()) {
        // Also in the middle of nowhere: at steps at which no entry lies.
        while (d.entry().point() - machine.steps() > 100_000 && random.nextInt(4) > 0) {
          replayer.runTo(machine.steps() + 1 + random.nextInt(100_000));
          machine.dropCaches();
        }
        assertThat(replayer.apply(d.entry())).isInstanceOf(Replayer.Outcome.Applied.class);
        machine.dropCaches();
      }
    }
    assertThat(replayer.digestsChecked()).isGreaterThan(3);
  }
}
