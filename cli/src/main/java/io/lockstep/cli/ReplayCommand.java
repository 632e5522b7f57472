package io.lockstep.cli;

import io.lockstep.host.backend.OverlayBlockBackend;
import io.lockstep.host.vm.LiveVm;
import io.lockstep.host.vm.NetSpec;
import io.lockstep.host.vm.SetupException;
import io.lockstep.host.vm.VmSpec;
import io.lockstep.replay.divergence.CacheDroppingMachine;
import io.lockstep.replay.live.Backends;
import io.lockstep.replay.live.InputJournal;
import io.lockstep.replay.live.OutputGate;
import io.lockstep.replay.recording.Recording;
import io.lockstep.replay.recording.ReplaySession;
import io.lockstep.replay.recording.ReplayUntil;
import io.lockstep.replay.recording.ReplayVerdict;
import io.lockstep.replay.recording.SnapshotInfo;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.machine.VirtualMachine.Power;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code lockstep replay}: a recorded run once more. */
@Command(
    name = "replay",
    description = "Repeat a recorded run, instruction for instruction, and check it.",
    footer = {
      "",
      "Waiting takes no time: an idle hour replays in seconds. The last line is the verdict.",
      "Exit status: 0 when the replay is the same as the recording, 1 otherwise.",
      "",
      "Examples:",
      "  lockstep replay first-run --console",
      "  lockstep replay first-run --from all --drop-caches 1",
      "  lockstep replay first-run --until time:12.5 --go-live",
      "      runs as recorded for 12.5 s of guest time, then on with you at the console"
    })
final class ReplayCommand implements Callable<Integer> {
  @Spec private CommandSpec command;

  @Parameters(index = "0", paramLabel = "DIR", description = "The recording.")
  private Path directory;

  @Option(
      names = "--until",
      paramLabel = "POINT|lsn:N|time:SECONDS",
      converter = UntilConverter.class,
      description =
          "Stop at an execution point (a number of steps), behind a log entry, or at a time of the"
              + " guest's clock.")
  private ReplayUntil until = new ReplayUntil.End();

  @Option(
      names = "--from",
      paramLabel = "SNAPSHOT|all",
      defaultValue = "0",
      converter = FromConverter.class,
      description =
          "Begin at this snapshot; 'lockstep log info' lists them. Default: 0, the start. With"
              + " 'all', each part between two snapshots is replayed from the first of them, and so"
              + " every snapshot is checked, too.")
  private int from;

  @Option(
      names = "--verify",
      description = "Also check that no byte of the recording's files has changed.")
  private boolean verify;

  @Option(names = "--console", description = "Show what the guest's console showed.")
  private boolean console;

  @Option(
      names = "--go-live",
      description =
          "Go on as a live machine where the replay stops, with a copy-on-write view of the"
              + " recording's disks. Nothing is recorded, and no disk image changes.")
  private boolean goLive;

  @Option(
      names = "--stats",
      description = "At the end, print what the machine has done to standard error.")
  private boolean stats;

  @Mixin private EngineOption engine;

  @Option(
      names = "--drop-caches",
      paramLabel = "SEED",
      description =
          "Make the engine forget what it has compiled and cached at random steps, which must make"
              + " no difference; another number, other steps.")
  private Long dropCaches;

  /** All parts of the recording, each from its snapshot. */
  private static final int ALL = -1;

  /** Reads the value of {@code --from}. */
  static final class FromConverter implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String text) {
      if (text.equals("all")) {
        return ALL;
      }
      if (text.matches("\\d{1,6}")) {
        return Integer.valueOf(text);
      }
      throw new TypeConversionException(
          "'" + text + "' is neither the number of a snapshot nor all");
    }
  }

  @Override
  public Integer call() {
    engine.apply();
    if (from == ALL && (goLive || console || !(until instanceof ReplayUntil.End))) {
      throw new ParameterException(
          command.commandLine(), "--from all goes without --until, --console and --go-live.");
    }
    try {
      Recording recording = Recording.open(directory);
      checkOrder(recording);
      boolean sound = !verify || FileCheck.report(recording, command.commandLine().getErr());
      int status;
      if (goLive) {
        status = goLive(recording);
      } else {
        status = from == ALL ? replayParts(recording) : replay(recording);
      }
      return sound ? status : ExitStatus.FAILURE;
    } catch (IOException | SetupException e) {
      throw new UserError(e.getMessage(), e);
    }
  }

  /** A replay cannot stop before it begins. */
  private void checkOrder(Recording recording) {
    SnapshotInfo begin = recording.snapshots().get(from);
    boolean behind =
        begin != null
            && switch (until) {
              case ReplayUntil.End _ -> false;
              case ReplayUntil.Point u -> u.point() < begin.point();
              case ReplayUntil.LsnBound u -> u.lsn() < begin.nextLsn() - 1;
              case ReplayUntil.Time u -> u.ticks() < begin.ticks();
            };
    if (behind) {
      throw new UserError(
          "Snapshot %d (execution point %d, %.3f s) lies behind the place where --until wants to stop; choose an earlier one."
              .formatted(from, begin.point(), (double) begin.ticks() / MachineConfig.TIMEBASE_HZ));
    }
  }

  private int replay(Recording recording) throws IOException {
    ReplaySession session =
        new ReplaySession(
            recording,
            this::machine,
            console ? consoleTo(System.out) : OutputSink.NONE,
            from,
            until);
    ReplayVerdict verdict = session.run();
    if (stats && session.machine() instanceof Machine machine) {
      PrintWriter err = command.commandLine().getErr();
      err.println("lockstep: " + RunStats.engine(machine));
      err.flush();
    }
    return tell(verdict, console ? command.commandLine().getErr() : command.commandLine().getOut());
  }

  private VirtualMachine machine(MachineConfig config, OutputSink outputs) {
    Machine machine = new Machine(config, outputs);
    return dropCaches == null ? machine : new CacheDroppingMachine(machine, dropCaches);
  }

  /**
   * Replays from each snapshot to the next. What a snapshot holds is compared with the digest that
   * was taken with it, so together the parts show the same as a replay from each snapshot to the
   * end would.
   */
  private int replayParts(Recording recording) throws IOException {
    PrintWriter to = command.commandLine().getOut();
    List<SnapshotInfo> snapshots = List.copyOf(recording.snapshots().values());
    int status = ExitStatus.OK;
    for (int i = 0; i < snapshots.size(); i++) {
      ReplayUntil end =
          i + 1 < snapshots.size()
              ? new ReplayUntil.LsnBound(snapshots.get(i + 1).nextLsn() - 1)
              : new ReplayUntil.End();
      ReplaySession session =
          new ReplaySession(
              recording, this::machine, OutputSink.NONE, snapshots.get(i).number(), end);
      to.printf("snapshot %d: ", snapshots.get(i).number());
      if (tell(session.run(), to) != ExitStatus.OK) {
        status = ExitStatus.FAILURE;
      }
    }
    return status;
  }

  private static int tell(ReplayVerdict verdict, PrintWriter to) {
    to.println(verdict.sentence());
    to.flush();
    return switch (verdict) {
      case ReplayVerdict.Same same ->
          same.log().logCase().lossy() ? ExitStatus.FAILURE : ExitStatus.OK;
      case ReplayVerdict.Stopped _ -> ExitStatus.OK;
      case ReplayVerdict.Different _ -> ExitStatus.FAILURE;
    };
  }

  private int goLive(Recording recording) throws IOException, SetupException {
    MachineConfig config = recording.info().config();
    VmSpec spec = spec(recording);
    boolean writesDisks = spec.disks().stream().anyMatch(disk -> !disk.readOnly());
    if (from != 0 && writesDisks) {
      throw new UserError(
          "To go live with disks the replay must begin at the start, so that it knows what was"
              + " written to them; leave out --from.");
    }
    Path scratch = Path.of(System.getProperty("java.io.tmpdir"));
    try (VmSession live =
        VmSession.open(
            spec,
            disk -> OverlayBlockBackend.open(disk.image(), scratch),
            null,
            command.commandLine().getErr())) {
      Backends backends = live.parts().backends(config, _ -> {});
      ReplaySession session =
          new ReplaySession(
              recording, this::machine, output -> keep(output, backends), from, until);
      ReplayVerdict verdict = session.run();
      live.tell(verdict.sentence());
      if (verdict instanceof ReplayVerdict.Different) {
        return ExitStatus.FAILURE;
      }
      if (session.machine().power() != Power.ON) {
        live.tell("the guest is switched off there; stop earlier with --until to go live.");
        return ExitStatus.FAILURE;
      }
      live.run(
          LiveVm.assemble(
              session.machine(),
              session.relay(),
              config,
              live.parts(),
              InputJournal.NONE,
              OutputGate::passingTo));
      return ExitStatus.OK;
    }
  }

  /**
   * What a replayed output does to the world that will be live: writes reach the disks' overlays.
   */
  private void keep(Output output, Backends backends) {
    switch (output) {
      case Output.BlockRequest request -> {
        if (!request.op().equals(Output.BlockOp.READ)) {
          backends.emit(request);
        }
      }
      case Output.ConsoleBytes bytes -> {
        if (console) {
          backends.emit(bytes);
        }
      }
      case Output.PacketSent _ -> {}
      case Output.EntropyRequest _ -> {}
    }
  }

  /** The host's side of the recorded machine. */
  private static VmSpec spec(Recording recording) {
    MachineConfig config = recording.info().config();
    List<VmSpec.DiskSpec> disks = new ArrayList<>();
    boolean entropy = false;
    boolean virtioConsole = false;
    Optional<NetSpec> net = Optional.empty();
    for (VirtioSlot slot : config.virtio()) {
      switch (slot) {
        case VirtioSlot.Block block ->
            disks.add(
                new VmSpec.DiskSpec(
                    DiskNotes.image(recording.info().notes(), disks.size()),
                    block.readOnly(),
                    block.serial()));
        case VirtioSlot.Entropy _ -> entropy = true;
        case VirtioSlot.Console _ -> virtioConsole = true;
        // Its cable is unplugged: whoever it talked to has gone on without it.
        case VirtioSlot.Net _ -> {}
        case VirtioSlot.Empty _ -> {}
      }
    }
    return new VmSpec(
        config.memoryBytes(),
        config.clock(),
        config.rtcBaseNanos(),
        new VmSpec.BootSpec(Optional.empty(), Optional.empty(), Optional.empty(), ""),
        disks,
        net,
        entropy,
        virtioConsole);
  }

  private static OutputSink consoleTo(OutputStream stream) {
    return output -> {
      if (output instanceof Output.ConsoleBytes bytes) {
        try {
          stream.write(bytes.data());
          stream.flush();
        } catch (IOException e) {
          // Nobody reads any more: the replay goes on for its verdict.
        }
      }
    };
  }
}
