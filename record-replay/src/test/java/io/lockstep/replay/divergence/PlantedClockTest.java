package io.lockstep.replay.divergence;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.replay.MachineFactory;
import io.lockstep.replay.live.HostClock;
import io.lockstep.replay.live.OutputGate;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.replay.live.VcpuLoop;
import io.lockstep.replay.log.LogEntry.EndReason;
import io.lockstep.replay.recording.PeriodicSnapshots;
import io.lockstep.replay.recording.Recorder;
import io.lockstep.replay.recording.Recording;
import io.lockstep.replay.recording.ReplaySession;
import io.lockstep.replay.recording.ReplayUntil;
import io.lockstep.replay.recording.ReplayVerdict;
import io.lockstep.replay.store.SyncPolicy;
import io.lockstep.vm.bus.MmioDevice;
import io.lockstep.vm.engine.EngineOptions;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.port.OutputSink;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A device of the real machine that looks at the host's clock, which no input has given it. For a
 * measurement the recording can be made longer: {@code -Dlockstep.bisect.seconds=60}.
 */
@Timeout(600)
class PlantedClockTest {
  private static final int SECONDS = Integer.getInteger("lockstep.bisect.seconds", 3);
  private static final MachineConfig CONFIG =
      new MachineConfig(64L << 20, ClockMode.HOST, MachineConfig.Firmware.BUILT_IN, 0, List.of());

  @TempDir Path temp;

  /** What must not be in a machine. */
  private static final class HostClockDevice implements MmioDevice {
    @Override
    public long read(long offset, int size) {
      return System.nanoTime();
    }

    @Override
    public void write(long offset, int size, long value) {}
  }

  private static Machine faulty(MachineConfig config, OutputSink outputs) {
    return new Machine(
        config,
        outputs,
        EngineOptions.standard(),
        List.of(new Machine.ExtraDevice(DeviceReadingGuest.DEVICE, 8, new HostClockDevice())));
  }

  @Test
  void aDeviceThatReadsTheHostsClockIsFoundToTheInstruction() throws Exception {
    Recording recording = record();
    ReplayVerdict verdict =
        new ReplaySession(
                recording, PlantedClockTest::faulty, OutputSink.NONE, 0, new ReplayUntil.End())
            .run();
    assertThat(verdict).isInstanceOf(ReplayVerdict.Different.class);
    assertThat(Files.readString(((ReplayVerdict.Different) verdict).blackBox()))
        .contains("Last entries", "lockstep log bisect", " x29 ", " f31 ", "   pc 0000000080200");

    MachineFactory factory = PlantedClockTest::faulty;
    long begin = System.nanoTime();
    BisectResult result = new Bisector(recording, factory, factory).run();
    System.out.printf(
        "bisected a recording of %d s in %.1f s%n", SECONDS, (System.nanoTime() - begin) / 1e9);
    assertThat(result)
        .isInstanceOfSatisfying(
            BisectResult.FirstDifference.class,
            d -> {
              assertThat(d.pc()).isEqualTo(DeviceReadingGuest.readAt());
              assertThat(d.atInput()).isFalse();
              assertThat(d.differences())
                  .singleElement()
                  .extracting(StateDiff.Difference::place)
                  .isEqualTo("section hart x" + DeviceReadingGuest.T4);
            });
  }

  private Recording record() throws Exception {
    OutputRelay relay = new OutputRelay();
    Machine machine = faulty(CONFIG, relay);
    long readTicks = SECONDS * MachineConfig.TIMEBASE_HZ * 9 / 10 & -4096L;
    machine.boot(KernelLoader.Images.of(DeviceReadingGuest.elf(readTicks), new byte[0]), "");
    Path directory = temp.resolve("recording");
    try (Recorder recorder =
        Recorder.start(directory, machine, CONFIG, 1, Map.of(), SyncPolicy.NEVER, e -> {})) {
      VcpuLoop[] loop = new VcpuLoop[1];
      loop[0] =
          new VcpuLoop(
              machine,
              relay,
              ClockMode.HOST,
              HostClock.startingAt(0),
              entry -> {
                // On a host that is busy with other things the guest's clock can be there first.
                if (machine.ticks() >= SECONDS * MachineConfig.TIMEBASE_HZ
                    && machine.register(DeviceReadingGuest.T4) != 0) {
                  loop[0].stop(EndReason.STOPPED);
                }
                return recorder.journal().append(entry);
              },
              OutputGate.passingTo(OutputSink.NONE),
              VcpuLoop.Pace.DEFAULT);
      try (PeriodicSnapshots _ =
          new PeriodicSnapshots(recorder, loop[0], Math.max(1, SECONDS / 6), text -> {})) {
        loop[0].run();
      }
    }
    return Recording.open(directory);
  }
}
