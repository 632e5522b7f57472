package io.lockstep.cli;

import io.lockstep.host.vm.LiveVm;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** What is kept and told of a session; a mixin for the commands that run a machine here. */
final class SessionOptions {
  @Option(
      names = "--console-log",
      paramLabel = "FILE",
      description = "Also write what the guest's console shows to this file.")
  private Path consoleLog;

  @Option(
      names = "--stats",
      description = "When the machine ends, print what it has done to standard error.")
  private boolean stats;

  /** Gets a copy of the console's output; null for none. */
  Path consoleLog() {
    return consoleLog;
  }

  /** The machine has ended. */
  void tellStats(VmSession session, LiveVm vm) {
    if (stats) {
      session.tell(RunStats.of(vm));
    }
  }
}
