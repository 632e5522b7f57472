package io.lockstep.cli;

import io.lockstep.host.pair.Rehearsal;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
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
      Rehearsal.play(REQUESTS);
    } catch (IOException e) {
      LoggerFactory.getLogger(TrainCommand.class).warn("Not all could be trained", e);
    }
    return ExitStatus.OK;
  }
}
