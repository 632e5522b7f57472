package io.lockstep.cli;

import io.lockstep.replay.recording.Recording;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;

/** Tells the user whether a recording's files are as they were when it was closed. */
final class FileCheck {
  private FileCheck() {}

  /** Whether they are. A recording that was not closed is not known to be wrong. */
  static boolean report(Recording recording, PrintWriter to) throws IOException {
    if (!recording.isSealed()) {
      to.println("The recording was not closed, so only its checksums can be checked.");
      return true;
    }
    List<String> changed = recording.changedFiles();
    changed.forEach(what -> to.println("DAMAGED: " + what + "."));
    to.flush();
    return changed.isEmpty();
  }
}
