package io.lockstep.cli.demo;

import java.io.PrintWriter;
import java.util.Locale;

/**
 * What the demo shows: a status line that is redrawn on a terminal, and lines that stay. Plain
 * lines where it isn't a terminal; JSON objects if asked for.
 */
final class Screen {
  /** How to show things. */
  enum Style {
    TERMINAL,
    PLAIN,
    JSON
  }

  private static final String RESET = "\u001b[0m";
  private static final String CLEAR_LINE = "\r\u001b[2K";
  private static final int BAR = 12;

  private final PrintWriter out;
  private final Style style;
  private final long startNanos = System.nanoTime();
  private boolean statusShown;

  Screen(PrintWriter out, Style style) {
    this.out = out;
    this.style = style;
  }

  /** Something happened. {@code name} is for machines, {@code text} for people. */
  void event(String name, String text) {
    line(name, text, "");
  }

  /** Something good happened. */
  void good(String name, String text) {
    line(name, text, "\u001b[32m");
  }

  /** Something violent happened. */
  void kill(String name, String text) {
    line(name, text, "\u001b[1;31m");
  }

  private void line(String name, String text, String colour) {
    double seconds = (System.nanoTime() - startNanos) / 1e9;
    switch (style) {
      case JSON ->
          out.printf(
              Locale.ROOT,
              "{\"event\":\"%s\",\"seconds\":%.3f,\"text\":\"%s\"}%n",
              name,
              seconds,
              text.replace("\\", "\\\\").replace("\"", "\\\""));
      case PLAIN -> out.printf(Locale.ROOT, "%6.1f s  %s%n", seconds, text);
      case TERMINAL -> {
        clear();
        out.printf(Locale.ROOT, "%6.1f s  %s%s%s%n", seconds, colour, text, RESET);
      }
    }
    out.flush();
  }

  /** A line without time: headings and the summary. Nothing in JSON. */
  void text(String text) {
    if (style != Style.JSON) {
      clear();
      out.println(text);
      out.flush();
    }
  }

  /** A line of JSON, only in that style. */
  void json(String object) {
    if (style == Style.JSON) {
      out.println(object);
      out.flush();
    }
  }

  /**
   * Redraws the status line: the gears of both replicas and the client's stream. Only on a
   * terminal.
   */
  void status(Gears primary, Gears secondary, long acknowledged, double replyMs) {
    if (style != Style.TERMINAL) {
      return;
    }
    clear();
    out.printf(
        Locale.ROOT,
        "          %s  %s   client: %d acknowledged, %.2f ms%s",
        gear("primary", primary, "\u001b[36m"),
        gear("secondary", secondary, "\u001b[35m"),
        acknowledged,
        replyMs,
        RESET);
    out.flush();
    statusShown = true;
  }

  private static String gear(String role, Gears gears, String colour) {
    if (gears == null) {
      return "\u001b[2m%s %s\u001b[0m".formatted(role, "-".repeat(BAR));
    }
    char[] wheel = {'|', '/', '-', '\\'};
    char turn = wheel[(int) (gears.steps() >>> 18 & 3)];
    int lag = (int) Math.min(BAR, Math.round(gears.lagMs()));
    return "%s%s %c [%s%s] lag %.0f ms%s"
        .formatted(
            colour, role, turn, "#".repeat(lag), ".".repeat(BAR - lag), gears.lagMs(), RESET);
  }

  /** Takes the status line away. */
  void clear() {
    if (statusShown) {
      out.print(CLEAR_LINE);
      statusShown = false;
    }
  }
}
