package io.lockstep.replay.recording;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lockstep.replay.live.HostClock;
import io.lockstep.replay.live.InputJournal;
import io.lockstep.replay.live.OutputGate;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.replay.live.VcpuEnd;
import io.lockstep.replay.live.VcpuLoop;
import io.lockstep.replay.store.LogCase;
import io.lockstep.replay.store.SyncPolicy;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.guest.SmallGuest;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.port.OutputSink;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A machine that nobody records is recorded from some moment on, while it writes its memory. */
@Timeout(300)
class RunningMachineTest {
  private static final MachineConfig CONFIG =
      new MachineConfig(64L << 20, ClockMode.HOST, MachineConfig.Firmware.BUILT_IN, 0, List.of());

  @TempDir Path temp;
  private VcpuLoop loop;
  private final CompletableFuture<VcpuEnd> end = new CompletableFuture<>();

  @BeforeEach
  void run() throws Exception {
    OutputRelay relay = new OutputRelay();
    Machine machine = new Machine(CONFIG, relay);
    machine.boot(
        KernelLoader.Images.of(SmallGuest.elf(), new byte[0]),
        "beat_ms=10 load=cpu dirty_kb=8192 dirty_span_kb=8192");
    loop =
        new VcpuLoop(
            machine,
            relay,
            ClockMode.HOST,
            HostClock.startingAt(0),
            InputJournal.NONE,
            OutputGate.passingTo(OutputSink.NONE),
            VcpuLoop.Pace.DEFAULT.withDigestTicks(200_000));
    Thread.ofPlatform().daemon().name("test-vcpu").start(() -> end.complete(loop.run()));
    goOn(10_000_000);
  }

  @AfterEach
  void stop() throws Exception {
    loop.stop(null);
    end.get();
  }

  /** Lets the guest do this many steps more. */
  private void goOn(long steps) throws Exception {
    long from = loop.execute(() -> loop.machine().steps()).get();
    while (loop.execute(() -> loop.machine().steps()).get() < from + steps) {
      TimeUnit.MILLISECONDS.sleep(5);
    }
  }

  private Recorder attach(Path directory) throws Exception {
    return Recorder.attach(loop, directory, CONFIG, 1, Map.of(), SyncPolicy.NEVER, e -> {}).get();
  }

  private static void replays(Path directory, long startPoint) throws Exception {
    Recording recording = Recording.open(directory);
    assertThat(recording.isSealed()).isTrue();
    assertThat(recording.info().startPoint()).isEqualTo(startPoint).isGreaterThan(10_000_000);
    for (int snapshot : recording.snapshots().keySet()) {
      ReplayVerdict verdict =
          new ReplaySession(
                  recording, Machine::new, OutputSink.NONE, snapshot, new ReplayUntil.End())
              .run();
      assertThat(verdict)
          .as(verdict.sentence())
          .isInstanceOfSatisfying(
              ReplayVerdict.Same.class,
              same -> {
                assertThat(same.log().logCase()).isEqualTo(LogCase.COMPLETE);
                assertThat(same.digests()).isPositive();
              });
    }
  }

  @Test
  void itIsRecordedForAWhileAndRunsOnAndIsRecordedAgain() throws Exception {
    for (String name : List.of("first", "second")) {
      Recorder recorder = attach(temp.resolve(name));
      goOn(3_000_000);
      assertThat(recorder.snapshot(loop).get()).isEqualTo(1);
      goOn(3_000_000);
      assertThat(recorder.snapshot(loop).get()).isEqualTo(2);
      goOn(3_000_000);
      recorder.detach(loop).get();
      recorder.close();
      assertThat(Recording.open(temp.resolve(name)).snapshots()).containsOnlyKeys(0, 1, 2);
      replays(temp.resolve(name), recorder.startPoint());
      goOn(1_000_000);
    }
  }

  @Test
  void aMachineThatEndsWhileItIsRecordedLeavesACompleteRecording() throws Exception {
    Recorder recorder = attach(temp.resolve("recording"));
    goOn(3_000_000);
    loop.stop(null).get();
    end.get();
    assertThatThrownBy(() -> recorder.detach(loop).get()).hasMessageContaining("has stopped");
    recorder.close();
    replays(temp.resolve("recording"), recorder.startPoint());
  }

  @Test
  void whatCannotBeginLeavesTheMachineAndTheDirectoryAlone() throws Exception {
    Path directory = Files.createDirectory(temp.resolve("used"));
    Files.writeString(directory.resolve("file"), "mine");
    assertThatThrownBy(() -> attach(directory)).hasMessageContaining("is not empty");
    assertThat(directory).isDirectoryNotContaining(f -> !f.endsWith("file"));
    loop.stop(null).get();
    end.get();
    assertThatThrownBy(() -> attach(temp.resolve("late"))).hasMessageContaining("has stopped");
    assertThat(temp.resolve("late")).doesNotExist();
  }
}
