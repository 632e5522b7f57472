package io.lockstep.replay.recording;

import io.lockstep.replay.ToyRun;
import io.lockstep.replay.live.VcpuLoop;
import io.lockstep.replay.sim.ToyMachine;
import io.lockstep.replay.store.SyncPolicy;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * Records a toy machine in a process whose files cannot grow beyond a limit, until the recording
 * fails, and lets the machine run on for a while. Says on standard output what happened.
 */
public final class FullDiskProcess {
  private static final long STEPS_AFTERWARDS = 200_000;

  private FullDiskProcess() {}

  public static void main(String[] args) throws Exception {
    CompletableFuture<IOException> failure = new CompletableFuture<>();
    try (ToyRun run = new ToyRun(1, ClockMode.HOST, 0)) {
      Recorder recorder =
          Recorder.start(
              Path.of(args[0]),
              run.machine,
              ToyMachine.config(ClockMode.HOST),
              1,
              Map.of(),
              SyncPolicy.NEVER,
              failure::complete);
      VcpuLoop loop = run.loop(ClockMode.HOST, recorder.journal(), ToyRun.PACE);
      failure.thenAccept(e -> runOnAndStop(loop, e));
      loop.run();
      try {
        recorder.close();
        System.out.println("closed without an error");
      } catch (IOException e) {
        System.out.println("incomplete: " + e.getMessage());
      }
    }
    System.exit(0);
  }

  private static void runOnAndStop(VcpuLoop loop, IOException failure) {
    System.out.println("failed: " + failure.getMessage());
    long from = loop.stats().point();
    while (loop.stats().point() < from + STEPS_AFTERWARDS) {
      Thread.onSpinWait();
    }
    System.out.println("ran on");
    loop.stop(null);
  }
}
