package io.lockstep.replay.recording;

import io.lockstep.replay.ToyRun;
import io.lockstep.replay.sim.ToyMachine;
import io.lockstep.replay.store.SyncPolicy;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import java.nio.file.Path;
import java.util.Map;

/** Records a toy machine for ever, in a process of its own that is to be killed. */
public final class RecorderProcess {
  private RecorderProcess() {}

  public static void main(String[] args) throws Exception {
    try (ToyRun run = new ToyRun(1, ClockMode.HOST, 0);
        Recorder recorder =
            Recorder.start(
                Path.of(args[0]),
                run.machine,
                ToyMachine.config(ClockMode.HOST),
                1,
                Map.of(),
                SyncPolicy.NEVER,
                e -> {})) {
      run.loop(ClockMode.HOST, recorder.journal(), ToyRun.PACE).run();
    }
  }
}
