package io.lockstep.cli;

import io.lockstep.replay.recording.Recording;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Parameters;

/** The recording that a command is about; a mixin. */
final class RecordingArgument {
  @Parameters(index = "0", paramLabel = "DIR", description = "The recording.")
  private Path directory;

  Recording open() {
    return open(directory);
  }

  Path directory() {
    return directory;
  }

  static Recording open(Path directory) {
    try {
      return Recording.open(directory);
    } catch (IOException e) {
      throw new UserError(e.getMessage() + ".", e);
    }
  }
}
