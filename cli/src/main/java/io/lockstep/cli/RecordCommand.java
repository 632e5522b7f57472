package io.lockstep.cli;

import io.lockstep.host.backend.OverlayBlockBackend;
import io.lockstep.host.vm.LiveVm;
import io.lockstep.host.vm.SetupException;
import io.lockstep.host.vm.VmParts;
import io.lockstep.host.vm.VmSpec;
import io.lockstep.replay.live.OutputGate;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.replay.live.VcpuEnd;
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
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
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
      "",
      "Examples:",
      "  lockstep record --image guests/mini --out first-run",
      "  lockstep replay first-run --console"
    })
final class RecordCommand implements Callable<Integer> {
  @Spec private CommandSpec command;

  @Mixin private VmOptions options;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Where the recording goes: a new or empty directory.")
  private Path out;

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

  @Option(
      names = "--console-log",
      paramLabel = "FILE",
      description = "Also write what the guest's console shows to this file.")
  private Path consoleLog;

  @Option(
      names = "--stats",
      description = "When the machine ends, print what it has done to standard error.")
  private boolean stats;

  @Override
  public Integer call() {
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
    try (VmSession session = VmSession.open(spec, disks, consoleLog, err)) {
      return record(session, spec);
    } catch (SetupException e) {
      throw new UserError(e.getMessage(), e);
    }
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
            e -> session.tell("the recording has ended early: " + e.getMessage() + "."))) {
      LiveVm vm =
          LiveVm.assemble(
              machine, relay, config, session.parts(), recorder.journal(), OutputGate::passingTo);
      end = runWithSnapshots(session, vm, recorder);
      if (stats) {
        session.tell(RunStats.of(vm));
      }
    } catch (IOException e) {
      throw new UserError("The recording " + out + " failed: " + e.getMessage() + ".", e);
    }
    boolean failed = end instanceof VcpuEnd.Halted halted && halted.power() == Power.FAILED;
    if (end instanceof VcpuEnd.Halted halted && halted.power() == Power.REBOOT) {
      session.tell("the guest reboots; the recording ends here.");
    }
    return failed ? ExitStatus.FAILURE : ExitStatus.OK;
  }

  private VcpuEnd runWithSnapshots(VmSession session, LiveVm vm, Recorder recorder) {
    if (snapshotSeconds <= 0) {
      return session.run(vm);
    }
    try (ScheduledExecutorService timer =
        Executors.newSingleThreadScheduledExecutor(
            task -> Thread.ofPlatform().daemon().name("snapshot-timer").unstarted(task))) {
      // A snapshot that is due while the last one is being written, or after the end, is left out.
      timer.scheduleAtFixedRate(
          () -> recorder.snapshot(vm.loop()), snapshotSeconds, snapshotSeconds, TimeUnit.SECONDS);
      VcpuEnd end = session.run(vm);
      timer.shutdownNow();
      return end;
    }
  }
}
