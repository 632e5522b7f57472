package io.lockstep.cli;

import io.lockstep.replay.recording.Recording;
import io.lockstep.replay.store.LogState;
import io.lockstep.replay.store.LogStoreReader;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.port.OutputSink;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code lockstep log verify}. */
@Command(
    name = "verify",
    description =
        "Check every byte of a recording without replaying it: log, snapshots, and the seal.",
    footer = {
      "",
      "Exit status: 0 when the recording is sound, 1 when it is not.",
      "",
      "Example:",
      "  lockstep log verify first-run"
    })
final class LogVerifyCommand implements Callable<Integer> {
  @Spec private CommandSpec command;
  @Mixin private RecordingArgument argument;

  @Override
  public Integer call() {
    Recording recording = argument.open();
    PrintWriter out = command.commandLine().getOut();
    boolean sound;
    try {
      sound = FileCheck.report(recording, out);
      sound &= log(recording, out);
      sound &= snapshots(recording, out);
    } catch (IOException e) {
      throw new UserError("The recording cannot be read: " + e.getMessage() + ".", e);
    }
    out.println(sound ? "The recording is sound." : "The recording is NOT sound.");
    out.flush();
    return sound ? ExitStatus.OK : ExitStatus.FAILURE;
  }

  private static boolean log(Recording recording, PrintWriter out) throws IOException {
    try (LogStoreReader log = recording.log()) {
      while (log.next() != null) {
        // Reading checks.
      }
      LogState state = log.state();
      out.println("Log: " + state + ".");
      return !state.logCase().lossy();
    }
  }

  private static boolean snapshots(Recording recording, PrintWriter out) throws IOException {
    boolean sound = true;
    for (int number : recording.snapshots().keySet()) {
      try {
        recording.restore(Machine::new, OutputSink.NONE, number);
      } catch (IOException e) {
        out.println("DAMAGED: " + e.getMessage() + ".");
        sound = false;
      }
    }
    out.println("Snapshots: " + recording.snapshots().size() + " read.");
    return sound;
  }
}
