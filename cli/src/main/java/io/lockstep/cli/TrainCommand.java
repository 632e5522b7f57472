package io.lockstep.cli;

import io.lockstep.host.pair.Rehearsal;
import io.lockstep.host.pair.ScratchDirectory;
import io.lockstep.host.vm.BuiltInGuest;
import io.lockstep.host.vm.SetupException;
import io.lockstep.host.vm.VmParts;
import io.lockstep.host.vm.VmSpec;
import io.lockstep.host.vm.VmSpec.BootSpec;
import io.lockstep.replay.recording.Recorder;
import io.lockstep.replay.recording.Recording;
import io.lockstep.replay.recording.ReplaySession;
import io.lockstep.replay.recording.ReplayUntil;
import io.lockstep.replay.store.SyncPolicy;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.port.OutputSink;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/**
 * Uses, once and without any effect outside, what other commands are going to use. The launcher
 * runs this after a build to record the JVM's ahead-of-time cache: what is loaded and warm here
 * starts faster afterwards.
 */
@Command(name = "train", hidden = true, description = "Warm up for the ahead-of-time cache.")
final class TrainCommand implements Callable<Integer> {
  private static final int REQUESTS = 300;
  private static final long STEPS = 100_000_000;

  @Override
  public Integer call() {
    CommandLine lockstep = Main.commandLine();
    PrintWriter nowhere = new PrintWriter(Writer.nullWriter());
    lockstep.setOut(nowhere).setErr(nowhere);
    lockstep.execute("--help");
    lockstep.execute("--version");
    lockstep.execute("--no-such-option");
    for (String name : lockstep.getSubcommands().keySet()) {
      lockstep.execute(name, "--help");
    }
    try {
      recordSmallGuest();
      Rehearsal.play(REQUESTS);
    } catch (IOException | SetupException e) {
      LoggerFactory.getLogger(TrainCommand.class).warn("Not all could be trained", e);
    }
    return ExitStatus.OK;
  }

  /**
   * Makes the engine warm, and recording and replay: their profile, and the classes that compile
   * regions, go into the cache.
   */
  private static void recordSmallGuest() throws SetupException, IOException {
    BootSpec boot = new BootSpec(Optional.empty(), Optional.empty(), Optional.empty(), "");
    VmSpec spec =
        new VmSpec(
            BuiltInGuest.MEMORY_BYTES,
            MachineConfig.ClockMode.INSTRUCTIONS,
            0,
            boot,
            List.of(),
            Optional.empty(),
            false,
            false);
    MachineConfig config = VmParts.machineConfig(spec, List.of());
    try (ScratchDirectory scratch = ScratchDirectory.create("lockstep-train-")) {
      Path directory = scratch.path().resolve("recording");
      Machine machine = VmParts.bootedMachine(spec, config, OutputSink.NONE);
      try (Recorder _ =
          Recorder.start(directory, machine, config, 1, Map.of(), SyncPolicy.NEVER, e -> {})) {
        machine.run(STEPS);
      }
      new ReplaySession(
              Recording.open(directory), Machine::new, OutputSink.NONE, 0, new ReplayUntil.End())
          .run();
    }
  }
}
