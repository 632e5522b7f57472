package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.replay.live.HostClock;
import io.lockstep.replay.live.OutputGate;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.replay.live.VcpuLoop;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.recording.Recorder;
import io.lockstep.replay.store.SyncPolicy;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.guest.SmallGuest;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.port.OutputSink;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class LogCommandTest {
  @TempDir Path temp;

  @Test
  void aRecordingIsDescribedListedCountedVerifiedAndReplayed() throws Exception {
    Path recording = record("first");
    assertThat(run("log", "info", recording.toString()))
        .matches(r -> r.status == 0)
        .extracting(r -> r.out)
        .asString()
        .contains("64 MiB", "the log is complete", "snapshots");
    assertThat(run("log", "dump", recording.toString(), "--type", "end").out)
        .hasLineCount(1)
        .contains("end STOPPED");
    assertThat(run("log", "stats", recording.toString()).out)
        .contains("clock", "digest", "bytes of log per 1,000 instructions");
    assertThat(run("log", "verify", recording.toString()))
        .matches(r -> r.status == 0)
        .matches(r -> r.out.contains("The recording is sound."));
    assertThat(run("replay", recording.toString(), "--verify"))
        .matches(r -> r.status == 0)
        .matches(r -> r.out.contains("the same as the recording"));
    assertThat(run("replay", recording.toString(), "--until", "500000").out)
        .contains("Stopped at execution point 500000");
    assertThat(run("replay", recording.toString(), "--from", "all", "--drop-caches", "1"))
        .matches(r -> r.status == 0)
        .matches(r -> r.out.startsWith("snapshot 0: The replay is the same"));
    assertThat(run("replay", recording.toString(), "--from", "all", "--go-live").status)
        .isEqualTo(2);
    assertThat(run("replay", recording.toString(), "--from", "soon").status).isEqualTo(2);
    assertThat(run("replay", recording.toString(), "--from", "9").err)
        .contains("there is no usable snapshot 9");
    assertThat(run("log", "bisect", recording.toString()))
        .matches(r -> r.status == 0)
        .matches(r -> r.out.contains("No divergence"));
  }

  @Test
  void twoRecordingsDifferAtAnEntryThatIsNamed() throws Exception {
    Path first = record("first");
    Path second = record("second");
    assertThat(run("log", "diff", first.toString(), first.toString()).status).isZero();
    Result different = run("log", "diff", first.toString(), second.toString());
    assertThat(different.status).isEqualTo(1);
    assertThat(different.out).contains("The first difference").contains("clock");
  }

  @Test
  void aDamagedRecordingIsFoundAndNotCalledTheSame() throws Exception {
    Path recording = record("first");
    Path log;
    try (Stream<Path> files = Files.list(recording.resolve("log"))) {
      log = files.filter(f -> f.toString().endsWith(".cq4")).findFirst().orElseThrow();
    }
    byte[] bytes = Files.readAllBytes(log);
    bytes[bytes.length - 40] ^= 4;
    Files.write(log, bytes);
    Result verify = run("log", "verify", recording.toString());
    assertThat(verify.status).isEqualTo(1);
    assertThat(verify.out).contains("DAMAGED: log/").contains("NOT sound");
    Result replay = run("replay", recording.toString());
    assertThat(replay.status).isEqualTo(1);
    assertThat(replay.out).contains("the last good entry is");
  }

  @Test
  void whatIsNoRecordingIsNamedInASentence() {
    for (String command : List.of("info", "dump", "verify", "stats", "bisect")) {
      Result result = run("log", command, temp.toString());
      assertThat(result.status).isEqualTo(1);
      assertThat(result.err).contains("is not a recording").doesNotContain("Exception");
    }
    assertThat(run("replay", temp.toString()).err).contains("is not a recording");
    assertThat(run("replay", temp.toString(), "--until", "soon").status).isEqualTo(2);
    assertThat(run("log").status).isEqualTo(2);
  }

  private Path record(String name) throws Exception {
    MachineConfig config =
        new MachineConfig(64L << 20, ClockMode.HOST, MachineConfig.Firmware.BUILT_IN, 0, List.of());
    OutputRelay relay = new OutputRelay();
    Machine machine = new Machine(config, relay);
    machine.boot(KernelLoader.Images.of(SmallGuest.elf(), new byte[0]), "beat_ms=10 load=cpu");
    Path directory = temp.resolve(name);
    try (Recorder recorder =
        Recorder.start(
            directory, machine, config, name.hashCode(), Map.of(), SyncPolicy.NEVER, e -> {})) {
      VcpuLoop[] loop = new VcpuLoop[1];
      loop[0] =
          new VcpuLoop(
              machine,
              relay,
              ClockMode.HOST,
              HostClock.startingAt(0),
              entry -> {
                if (entry.point() > 2_000_000) {
                  loop[0].stop(LogEntry.EndReason.STOPPED);
                }
                return recorder.journal().append(entry);
              },
              OutputGate.passingTo(OutputSink.NONE),
              VcpuLoop.Pace.DEFAULT);
      loop[0].run();
    }
    return directory;
  }

  private record Result(int status, String out, String err) {}

  private static Result run(String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine command = Main.commandLine();
    command.setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    int status = command.execute(args);
    return new Result(status, out.toString(), err.toString());
  }
}
