package io.lockstep.replay.divergence;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.replay.MachineFactory;
import io.lockstep.replay.Replayer;
import io.lockstep.replay.ToyRun;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.recording.Recorder;
import io.lockstep.replay.recording.Recording;
import io.lockstep.replay.sim.ToyMachine;
import io.lockstep.replay.store.SyncPolicy;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.machine.VirtualMachine.Stop;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.OutputSink;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BisectorTest {
  private static final long HALT_AT = 3_000_000;

  @TempDir Path temp;

  @Test
  void aHiddenClockIsFoundToTheStep() throws Exception {
    AtomicLong hiddenClock = new AtomicLong();
    MachineFactory faulty =
        (config, outputs) ->
            new ToyMachine(
                config, outputs, step -> step == 1_777_777 ? hiddenClock.incrementAndGet() : 0);
    BisectResult result = new Bisector(record(1), faulty, faulty).run();
    assertThat(result)
        .isInstanceOfSatisfying(
            BisectResult.FirstDifference.class,
            d -> {
              assertThat(d.step()).isEqualTo(1_777_777);
              assertThat(d.atInput()).isFalse();
              assertThat(d.differences().getFirst().place()).startsWith("section toy");
              assertThat(d.text()).contains("1777777");
            });
  }

  @Test
  void aFaultInOneEngineIsFoundToTheStep() throws Exception {
    MachineFactory faulty =
        (config, outputs) -> new ToyMachine(config, outputs, step -> step == 999_999 ? 1 : 0);
    BisectResult result = new Bisector(record(2), ToyMachine::new, faulty).run();
    assertThat(result)
        .isInstanceOfSatisfying(
            BisectResult.FirstDifference.class, d -> assertThat(d.step()).isEqualTo(999_999));
  }

  @Test
  void whatHappenedOnlyWhileRecordingIsSaidToBeThat() throws Exception {
    MachineFactory alwaysWrong =
        (config, outputs) -> new ToyMachine(config, outputs, step -> step == 2_000_000 ? 1 : 0);
    BisectResult result = new Bisector(record(3), alwaysWrong, alwaysWrong).run();
    assertThat(result)
        .isInstanceOfSatisfying(
            BisectResult.OnlyRecordingDiffers.class,
            d -> {
              assertThat(d.goodPoint()).isLessThanOrEqualTo(2_000_000);
              assertThat(d.badPoint()).isGreaterThan(2_000_000);
            });
  }

  @Test
  void aSoundRecordingHasNoDivergence() throws Exception {
    assertThat(new Bisector(record(4), ToyMachine::new, ToyMachine::new).run())
        .isInstanceOf(BisectResult.NoDivergence.class);
  }

  @Test
  void anInputRightBehindADigestIsFoundIfItMakesTheDifference() throws Exception {
    long point = 100_000;
    Path directory = temp.resolve("input");
    ToyMachine machine = new ToyMachine(ToyMachine.config(ClockMode.INSTRUCTIONS), OutputSink.NONE);
    machine.load(5, 0);
    try (Recorder recorder =
        Recorder.start(
            directory,
            machine,
            ToyMachine.config(ClockMode.INSTRUCTIONS),
            5,
            Map.of(),
            SyncPolicy.NEVER,
            e -> {})) {
      run(machine, point);
      recorder.journal().append(new LogEntry.Digest(point, machine.digest()));
      Input typed = new Input.ConsoleInput(ToyMachine.CONSOLE, new byte[] {1});
      recorder.journal().append(new LogEntry.InputEntry(point, typed));
      machine.apply(typed);
      Replayer.settle(machine);
      run(machine, 2 * point);
    }
    AtomicLong hiddenClock = new AtomicLong();
    MachineFactory faulty =
        (config, outputs) -> {
          VirtualMachine sound = new ToyMachine(config, outputs);
          return (VirtualMachine)
              Proxy.newProxyInstance(
                  getClass().getClassLoader(),
                  new Class<?>[] {VirtualMachine.class},
                  (proxy, method, arguments) -> {
                    if (method.getName().equals("apply")) {
                      byte[] extra = {(byte) hiddenClock.incrementAndGet()};
                      sound.apply(new Input.ConsoleInput(ToyMachine.CONSOLE, extra));
                    }
                    return method.invoke(sound, arguments);
                  });
        };
    assertThat(new Bisector(Recording.open(directory), faulty, faulty).run())
        .isInstanceOfSatisfying(
            BisectResult.FirstDifference.class,
            d -> {
              assertThat(d.atInput()).isTrue();
              assertThat(d.text()).contains("the inputs at execution point " + point + ".");
            });
  }

  private static void run(ToyMachine machine, long point) {
    while (machine.steps() < point) {
      assertThat(machine.run(point)).isNotIn(Stop.IDLE, Stop.HALTED);
    }
  }

  private Recording record(long seed) throws Exception {
    Path directory = temp.resolve("recording" + seed);
    try (ToyRun run = new ToyRun(seed, ClockMode.HOST, HALT_AT);
        Recorder recorder =
            Recorder.start(
                directory,
                run.machine,
                ToyMachine.config(ClockMode.HOST),
                seed,
                Map.of(),
                SyncPolicy.NEVER,
                e -> {})) {
      run.loop(ClockMode.HOST, recorder.journal(), ToyRun.PACE).run();
    }
    return Recording.open(directory);
  }
}
