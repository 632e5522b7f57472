package io.lockstep.cli;

import io.lockstep.host.backend.OverlayBlockBackend;
import io.lockstep.host.vm.LiveVm;
import io.lockstep.host.vm.SetupException;
import io.lockstep.host.vm.VmParts;
import io.lockstep.host.vm.VmSpec;
import io.lockstep.replay.live.OutputGate;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.replay.live.VcpuEnd;
import io.lockstep.replay.recording.PeriodicSnapshots;
import io.lockstep.replay.recording.Recorder;
import io.lockstep.replay.store.SyncPolicy;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.VirtualMachine.Power;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code lockstep record}: {@code run}, and everything that is needed to make it happen again. */
@Command(
    name = "record",
    description = "Run a virtual machine and record it, so that 'lockstep replay' repeats the run.",
    footer = {
      "",
      "The disks are left as they are: what the guest writes is forgotten at the end, unless"
          + " --write-through",
      "is given. A replay needs no disk. The recording ends when the guest reboots.",
      "When the recording's disk is full, the recording ends and the machine runs on; what was",
      "recorded until then can be replayed.",
      "",
      "With --vm a machine is recorded that runs already, started by 'lockstep run': from now on",
      "until --stop, or until it ends. 'lockstep status' lists the machines.",
      "",
      "Examples:",
      "  lockstep record --image guests/mini --out first-run",
      "  lockstep replay first-run --console",
      "  lockstep record --vm 4711 --out incident",
      "  lockstep record --vm 4711 --stop"
    })
final class RecordCommand implements Callable<Integer> {
  @Spec private CommandSpec command;

  @Mixin private VmOptions options;

  @Mixin private EngineOption engine;

  @Mixin private SessionOptions kept;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Where the recording goes: a new or empty directory.")
  private Path out;

  @Option(
      names = "--vm",
      paramLabel = "PID|NAME",
      description = "Record this running machine instead of starting one.")
  private String vm;

  @Option(
      names = "--stop",
      description = "End the recording of the machine that --vm names; the machine runs on.")
  private boolean stop;

  @Option(
      names = "--snapshot-every",
      paramLabel = "SECONDS",
      defaultValue = "10",
      description =
          "Store what has changed in the machine's memory this often, so that a replay can start"
              + " there; 0 for never. Default: ${DEFAULT-VALUE}.")
  private int snapshotSeconds;

  @Option(
      names = "--sync",
      paramLabel = "never|every-second|always",
      defaultValue = "never",
      converter = SyncConverter.class,
      description =
          "When the log is forced to the disk. It survives the end of this process in any case;"
              + " what survives a crash of the host depends on this. Default: ${DEFAULT-VALUE}.")
  private SyncPolicy sync;

  @Option(
      names = "--write-through",
      description =
          "The guest's writes go into the disk images. The recording can then be replayed, but not"
              + " be continued with --go-live.")
  private boolean writeThrough;

  /** What goes together with {@code --vm}. */
  private static final Set<String> WITH_VM =
      Set.of("--vm", "--stop", "--out", "--snapshot-every", "--sync", "--debug");

  @Override
  public Integer call() {
    if (vm != null) {
      return recordRunning();
    }
    if (stop) {
      throw wrong("--stop needs --vm PID or --vm NAME.");
    }
    if (out == null) {
      throw wrong("Where to? Add --out DIR, a new or empty directory.");
    }
    engine.apply();
    VmSpec spec = options.toSpec();
    PrintWriter err = command.commandLine().getErr();
    try {
      Files.createDirectories(out);
    } catch (IOException e) {
      throw new UserError("The directory " + out + " cannot be made; choose another one.", e);
    }
    VmParts.DiskOpener disks =
        writeThrough
            ? VmParts.DiskOpener.FILES
            : disk ->
                disk.readOnly()
                    ? VmParts.DiskOpener.FILES.open(disk)
                    : OverlayBlockBackend.open(disk.image(), out.toAbsolutePath());
    try (VmSession session = VmSession.open(spec, disks, kept.consoleLog(), err)) {
      return record(session, spec);
    } catch (SetupException e) {
      throw new UserError(e.getMessage(), e);
    }
  }

  private ParameterException wrong(String sentence) {
    return new ParameterException(command.commandLine(), sentence);
  }

  private int recordRunning() {
    for (OptionSpec option : command.commandLine().getParseResult().matchedOptionsSet()) {
      if (!WITH_VM.contains(option.longestName())) {
        throw wrong(
            "%s describes a machine that is to be started, and --vm names one that runs; leave one of them out."
                .formatted(option.longestName()));
      }
    }
    if (stop == (out != null)) {
      throw wrong("With --vm goes either --out DIR, to begin, or --stop, to end.");
    }
    RunningVm running = RunningVm.find(vm);
    PrintWriter to = command.commandLine().getOut();
    to.println(
        stop
            ? running.stopRecording()
            : running.record(new VmControl.Start(out.toAbsolutePath(), snapshotSeconds, sync)));
    to.flush();
    return ExitStatus.OK;
  }

  /** Tells the user that a recording has ended and the machine has not. */
  static void tellEarlyEnd(VmSession session, IOException failure) {
    session.tell(
        "the recording has ended early, and the machine runs on: %s. What was recorded until then can be replayed."
            .formatted(failure.getMessage()));
  }

  private int record(VmSession session, VmSpec spec) throws SetupException {
    MachineConfig config = session.parts().machineConfig();
    OutputRelay relay = new OutputRelay();
    Machine machine = session.parts().bootedMachine(config, relay);
    Map<String, String> notes = DiskNotes.of(spec.disks(), writeThrough);
    VcpuEnd end;
    try (Recorder recorder =
            Recorder.start(
                out,
                machine,
                config,
                new SecureRandom().nextLong(),
                notes,
                sync,
                e -> tellEarlyEnd(session, e));
        VmControl control = VmControl.start(session, out.getFileName().toString())) {
      LiveVm live =
          LiveVm.assemble(
              machine, relay, config, session.parts(), recorder.journal(), OutputGate::passingTo);
      control.runs(live, true);
      try (PeriodicSnapshots _ =
          new PeriodicSnapshots(recorder, live.loop(), snapshotSeconds, session::tell)) {
        end = session.run(live);
      }
      kept.tellStats(session, live);
    } catch (IOException e) {
      throw new UserError("The recording %s is incomplete: %s.".formatted(out, e.getMessage()), e);
    }
    boolean failed = end instanceof VcpuEnd.Halted halted && halted.power() == Power.FAILED;
    if (end instanceof VcpuEnd.Halted halted && halted.power() == Power.REBOOT) {
      session.tell("the guest reboots; the recording ends here.");
    }
    return failed ? ExitStatus.FAILURE : ExitStatus.OK;
  }
}
