package io.lockstep.cli;

import io.lockstep.cli.image.ImageManifest;
import io.lockstep.host.control.ControlClient;
import io.lockstep.host.pair.Rehearsal;
import io.lockstep.host.pair.ScratchDirectory;
import io.lockstep.vm.guest.SmallGuest;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.slf4j.Logger;
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
  private static final Logger LOG = LoggerFactory.getLogger(TrainCommand.class);
  private static final int REQUESTS = 300;
  private static final int MEMORY_MIB = 64;
  private static final int INITRD_BYTES = 1 << 20;
  private static final long RUN_MS = 1500;
  private static final long POLL_MS = 50;

  /** Computes, and writes to much memory, so that the digest and the snapshots have work, too. */
  private static final String LOAD = "load=cpu dirty_kb=8192 beat_ms=100";

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
      runAndRecord(lockstep);
      Rehearsal.play(REQUESTS);
    } catch (IOException e) {
      LOG.warn("Not all could be trained", e);
    }
    return ExitStatus.OK;
  }

  /** As a user does it, with an image that has the small guest for a kernel. */
  private static void runAndRecord(CommandLine lockstep) throws IOException {
    try (ScratchDirectory scratch = ScratchDirectory.create("lockstep-train-")) {
      Path image = Files.createDirectory(scratch.path().resolve("image"));
      Files.write(image.resolve(ImageManifest.KERNEL), SmallGuest.elf());
      Files.write(image.resolve(ImageManifest.INITRD), new byte[INITRD_BYTES]);
      new ImageManifest("none", "small", Optional.empty(), LOAD, MEMORY_MIB, Map.of()).write(image);
      String recording = scratch.path().resolve("recording").toString();
      whileStopping(() -> lockstep.execute("run", "--image", image.toString()));
      whileStopping(
          () -> lockstep.execute("record", "--image", image.toString(), "--out", recording));
      lockstep.execute("replay", recording, "--verify");
    }
  }

  /** Runs a machine for {@link #RUN_MS}. */
  private static void whileStopping(Runnable machine) {
    Thread stopper = Thread.ofPlatform().daemon().name("train-stop").start(TrainCommand::stopLater);
    machine.run();
    stopper.interrupt();
  }

  private static void stopLater() {
    try {
      Thread.sleep(RUN_MS);
      while (true) {
        Optional<String> stopped = ControlClient.ask(ProcessHandle.current().pid(), "stop");
        LOG.debug("stop: {}", stopped);
        Thread.sleep(POLL_MS);
      }
    } catch (InterruptedException e) {
      // The machine has ended.
    } catch (IOException e) {
      LOG.warn("The machine cannot be stopped", e);
    }
  }
}
