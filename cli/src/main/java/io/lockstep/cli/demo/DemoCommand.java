package io.lockstep.cli.demo;

import io.lockstep.cli.UserError;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code lockstep demo}: the product in a minute. */
@Command(
    name = "demo",
    description = "See a guest survive kill -9 of its host, with real processes on this machine.",
    footer = {
      "",
      "Starts a switch, a protected guest on two 'hosts' (two processes), and a client with one"
          + " open TCP connection; kills the",
      "primary with kill -9, attaches a new secondary, and kills that too. Nothing stays behind,"
          + " also after Ctrl-C.",
      "",
      "Exit status: 0 if nothing was lost, 1 otherwise.",
      "",
      "Examples:",
      "  lockstep demo",
      "  lockstep demo --json",
      "  lockstep demo --keep      leaves it running, to play with"
    })
public final class DemoCommand implements Callable<Integer> {
  @Spec private CommandSpec command;

  @Option(names = "--json", description = "One JSON object a line, for programs.")
  private boolean json;

  @Option(
      names = "--keep",
      description = "Leave everything running at the end, and say how to go on.")
  private boolean keep;

  @Override
  public Integer call() {
    PrintWriter out = command.commandLine().getOut();
    Screen screen = new Screen(out, style());
    screen.text("Lockstep: a guest that survives its host.");
    screen.text("");
    Demo demo;
    try {
      demo = new Demo(screen);
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
      return 0;
    } catch (DemoException e) {
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
