package io.lockstep.cli.demo;

import io.lockstep.cli.ExitStatus;
import io.lockstep.cli.ImageErrors;
import io.lockstep.cli.UserError;
import io.lockstep.cli.image.ImageBuilder;
import io.lockstep.cli.image.ImageRequest;
import io.lockstep.cli.image.Progress;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code lockstep demo}: the product in a minute. */
@Command(
    name = "demo",
    description = "See a guest survive kill -9 of its host, with real processes on this machine.",
    footer = {
      "",
      "Starts a switch, a protected guest on two 'hosts' (two processes), and a client with",
      "one open TCP connection; kills the primary with kill -9, attaches a new secondary,",
      "and kills that too. Nothing stays behind, also after Ctrl-C.",
      "",
      "--guest debian shows it with Debian's own kernel and redis; on a Debian host the guest is",
      "made on first use, and kept in ~/.cache/lockstep (120 MB of downloads).",
      "",
      "Exit status: 0 if nothing was lost, 1 otherwise.",
      "",
      "Examples:",
      "  lockstep demo",
      "  lockstep demo --json",
      "  lockstep demo --keep      leaves it running, to play with",
      "  lockstep demo --guest debian"
    })
public final class DemoCommand implements Callable<Integer> {
  private static final long SIGNAL_MS = 200;

  @Spec private CommandSpec command;

  @Option(names = "--json", description = "One JSON object a line, for programs.")
  private boolean json;

  @Option(
      names = "--keep",
      description = "Leave everything running at the end, and say how to go on.")
  private boolean keep;

  @Option(
      names = "--guest",
      paramLabel = "small|debian",
      defaultValue = "small",
      description = "What to protect. Default: ${DEFAULT-VALUE}.")
  private String guest;

  @Option(
      names = "--image",
      paramLabel = "DIR",
      description = "A guest image with redis, instead of the one that --guest debian makes.")
  private Path image;

  @Override
  public Integer call() {
    PrintWriter out = command.commandLine().getOut();
    Screen screen = new Screen(out, style());
    screen.text("Lockstep: a guest that survives its host.");
    screen.text("");
    DemoGuest chosen = chooseGuest(screen);
    Demo demo;
    try {
      demo = new Demo(screen, chosen);
    } catch (IOException e) {
      throw new UserError("The demo cannot make a temporary directory: " + e.getMessage() + ".", e);
    }
    Thread onSignal = new Thread(demo::close, "demo-cleanup");
    Runtime.getRuntime().addShutdownHook(onSignal);
    try {
      Demo.Result result = demo.play();
      summary(screen, result);
      if (keep) {
        demo.howToGoOn().forEach(screen::text);
        demo.keep();
      }
      return ExitStatus.OK;
    } catch (DemoException e) {
      if (wasInterrupted(demo)) {
        // Ctrl-C: the process ends as soon as all is cleaned up, and nothing needs to be said.
        return ExitStatus.FAILURE;
      }
      screen.failure(e.getMessage());
      throw new UserError(e.getMessage(), e);
    } finally {
      demo.close();
      try {
        Runtime.getRuntime().removeShutdownHook(onSignal);
      } catch (IllegalStateException e) {
        // It is running: Ctrl-C.
      }
    }
  }

  /**
   * Ctrl-C goes to the demo's processes too, and they may have ended before it is heard of here.
   */
  private static boolean wasInterrupted(Demo demo) {
    try {
      Thread.sleep(SIGNAL_MS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return demo.isClosed();
  }

  private DemoGuest chooseGuest(Screen screen) {
    return switch (guest) {
      case "small" -> {
        if (image != null) {
          throw new ParameterException(
              command.commandLine(), "--image is for --guest debian; add that");
        }
        yield DemoGuest.small();
      }
      case "debian" -> DemoGuest.debian(image == null ? debianImage(screen) : existing(image));
      default ->
          throw new ParameterException(
              command.commandLine(), "'%s' is not one of small and debian".formatted(guest));
    };
  }

  private static Path existing(Path image) {
    if (!Files.exists(image.resolve("image.json"))) {
      throw new UserError(
          "There is no guest image in %s; make one with 'lockstep image build %s --include redis-server'."
              .formatted(image, image));
    }
    return image;
  }

  /** The image in the user's cache, made now if it is not there. */
  private static Path debianImage(Screen screen) {
    Path cache = ImageBuilder.userCache();
    Path directory = cache.resolve("images").resolve("redis");
    if (!Files.exists(directory.resolve("image.json"))) {
      screen.text(
          "Making a Debian guest with redis in %s; this is done once and takes a minute or two."
              .formatted(directory));
      ImageRequest request =
          new ImageRequest(
              directory,
              "trixie",
              List.of("redis-server", "redis-tools"),
              List.of(),
              Optional.empty(),
              Optional.empty(),
              false,
              0,
              false);
      ImageErrors.reported(
          () -> {
            Files.createDirectories(directory.getParent());
            return new ImageBuilder(cache, Progress.onStandardError()).build(request);
          });
    }
    return directory;
  }

  // It can be null, whatever the version: without a terminal, with the platform's own console.
  @SuppressWarnings("SystemConsoleNull")
  private Screen.Style style() {
    if (json) {
      return Screen.Style.JSON;
    }
    java.io.Console console = System.console();
    return console != null && console.isTerminal() ? Screen.Style.TERMINAL : Screen.Style.PLAIN;
  }

  private static void summary(Screen screen, Demo.Result r) {
    screen.text("");
    screen.text(
        String.format(
            Locale.ROOT,
            "%d values acknowledged to the client, %d in the guest's ledger: nothing lost, nothing"
                + " twice.",
            r.acknowledged(),
            r.acknowledged()));
    screen.text("1 TCP connection from beginning to end, through two kill -9.");
    screen.text(
        String.format(
            Locale.ROOT,
            "Pause seen by the client: %.0f ms for the primary, %.0f ms for the secondary; usually"
                + " a reply takes %.2f ms.",
            r.pausePrimaryMs(),
            r.pauseSecondaryMs(),
            r.usualMs()));
    screen.json(
        String.format(
            Locale.ROOT,
            "{\"event\":\"summary\",\"acknowledged\":%d,\"missing\":0,\"pause_primary_ms\":%.1f,\"pause_secondary_ms\":%.1f,\"usual_ms\":%.3f}",
            r.acknowledged(),
            r.pausePrimaryMs(),
            r.pauseSecondaryMs(),
            r.usualMs()));
  }
}
