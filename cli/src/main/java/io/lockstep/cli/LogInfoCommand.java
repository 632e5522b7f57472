package io.lockstep.cli;

import io.lockstep.replay.log.DecodeResult.Decoded;
import io.lockstep.replay.recording.Recording;
import io.lockstep.replay.recording.SnapshotInfo;
import io.lockstep.replay.store.LogStoreReader;
import io.lockstep.vm.machine.MachineConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code lockstep log info}. */
@Command(
    name = "info",
    description = "What a recording is of, how long it is, and its snapshots.",
    footer = {"", "Example:", "  lockstep log info first-run"})
final class LogInfoCommand implements Callable<Integer> {
  @Spec private CommandSpec command;
  @Mixin private RecordingArgument argument;

  @Override
  public Integer call() {
    Recording recording = argument.open();
    PrintWriter out = command.commandLine().getOut();
    MachineConfig config = recording.info().config();
    out.printf(
        "machine    %d MiB, clock %s, firmware %s%n",
        config.memoryBytes() >> 20, config.clock(), config.firmware());
    for (int i = 0; i < config.virtio().size(); i++) {
      out.printf("  virtio %d  %s%n", i, config.virtio().get(i));
    }
    try (LogStoreReader log = recording.log()) {
      long entries = 0;
      for (Decoded d = log.next(); d != null; d = log.next()) {
        entries++;
      }
      out.printf(
          "log        %,d entries, %,d bytes, execution points %,d to %,d%n",
          entries,
          log.state().soundBytes(),
          recording.info().startPoint(),
          log.state().lastPoint());
      out.printf("state      %s%n", log.state());
    } catch (IOException e) {
      throw new UserError("The log cannot be read: " + e.getMessage() + ".", e);
    }
    out.println("snapshots  number  execution point  guest time  first lsn");
    for (SnapshotInfo s : recording.snapshots().values()) {
      out.printf(
          "           %6d %,16d %10.3fs %10d%n",
          s.number(), s.point(), (double) s.ticks() / MachineConfig.TIMEBASE_HZ, s.nextLsn());
    }
    out.flush();
    return ExitStatus.OK;
  }
}
