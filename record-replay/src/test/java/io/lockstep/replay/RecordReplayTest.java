package io.lockstep.replay;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.replay.live.OutputRelay;
import io.lockstep.replay.live.VcpuEnd;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.sim.ToyMachine;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.VirtualMachine.Power;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RecordReplayTest {
  private static final long HALT_AT = 3_000_000;

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void aReplayGoesThroughTheSameStatesAndEmitsTheSameOutputs(long seed) {
    try (ToyRun run = new ToyRun(seed, ClockMode.HOST, HALT_AT)) {
      VcpuEnd end = run.run(ClockMode.HOST);
      assertThat(end).isEqualTo(new VcpuEnd.Halted(HALT_AT, Power.OFF));
      assertThat(run.log).anyMatch(e -> e instanceof LogEntry.Digest);
      assertThat(run.log)
          .anyMatch(
              e -> e instanceof LogEntry.InputEntry i && i.input() instanceof Input.PacketArrival);

      List<Output> outputs = new ArrayList<>();
      ToyMachine machine = replica(seed, outputs);
      Replayer replayer = new Replayer(machine, 0);
      for (LogEntry entry : run.log) {
        assertThat(replayer.apply(entry)).isInstanceOf(Replayer.Outcome.Applied.class);
      }
      assertThat(machine.digest()).isEqualTo(run.machine.digest());
      assertThat(outputs.stream().map(RecordReplayTest::text))
          .containsExactlyElementsOf(run.outputs.stream().map(RecordReplayTest::text).toList());
      assertThat(replayer.digestsChecked()).isPositive();
    }
  }

  @Test
  void aChangedALateAndALostInputAreEachADivergence() {
    long seed = 5;
    try (ToyRun run = new ToyRun(seed, ClockMode.HOST, HALT_AT)) {
      run.run(ClockMode.HOST);
      int victim = 0;
      while (!(run.log.get(victim) instanceof LogEntry.InputEntry i
          && i.input() instanceof Input.PacketArrival)) {
        victim++;
      }
      LogEntry.InputEntry packet = (LogEntry.InputEntry) run.log.get(victim);

      List<LogEntry> late = new ArrayList<>(run.log);
      late.set(victim, new LogEntry.InputEntry(packet.point() + 1, packet.input()));
      assertThat(firstDivergence(seed, late)).isNotNull();

      List<LogEntry> lost = new ArrayList<>(run.log);
      lost.remove(victim);
      assertThat(firstDivergence(seed, lost)).isNotNull();

      byte[] frame = ((Input.PacketArrival) packet.input()).frame().clone();
      frame[0] ^= 1;
      List<LogEntry> changed = new ArrayList<>(run.log);
      changed.set(
          victim,
          new LogEntry.InputEntry(packet.point(), new Input.PacketArrival(ToyMachine.NET, frame)));
      assertThat(firstDivergence(seed, changed)).isNotNull();
      assertThat(firstDivergence(seed, run.log)).isNull();
    }
  }

  @Test
  void withTheInstructionClockThereAreNoClockReadings() {
    try (ToyRun run = new ToyRun(6, ClockMode.INSTRUCTIONS, HALT_AT)) {
      run.run(ClockMode.INSTRUCTIONS);
      assertThat(run.log)
          .noneMatch(
              e -> e instanceof LogEntry.InputEntry i && i.input() instanceof Input.ClockReading);
    }
  }

  private static Divergence firstDivergence(long seed, List<LogEntry> log) {
    Replayer replayer = new Replayer(replica(seed, new ArrayList<>()), 0);
    for (LogEntry entry : log) {
      if (replayer.apply(entry) instanceof Replayer.Outcome.Diverged d) {
        return d.divergence();
      }
    }
    return null;
  }

  private static String text(Output output) {
    return switch (output) {
      case Output.ConsoleBytes o -> "console " + Arrays.hashCode(o.data());
      case Output.PacketSent o -> "packet " + Arrays.hashCode(o.frame());
      case Output.EntropyRequest o -> o.toString();
      case Output.BlockRequest o ->
          o.requestId() + " " + o.op() + o.sector() + " " + Arrays.hashCode(o.data());
    };
  }

  private static ToyMachine replica(long seed, List<Output> outputs) {
    OutputRelay relay = new OutputRelay();
    relay.connect(outputs::add);
    ToyMachine machine = new ToyMachine(ToyMachine.config(ClockMode.HOST), relay);
    machine.load(seed, HALT_AT);
    return machine;
  }
}
