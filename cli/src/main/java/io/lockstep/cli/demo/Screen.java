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
  private static final int BAR = 5;
  private static final double BAR_MS = 2;
  private static final double LAG_SHOWN_MAX_MS = 999;

  private final PrintWriter out;
  private final Style style;
  private final long startNanos = System.nanoTime();
  private boolean statusShown;
  private long statusAt = System.nanoTime();

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

  /** It went wrong; for people the sentence is on standard error. */
  void failure(String text) {
    clear();
    if (style == Style.JSON) {
      line("failed", text, "");
    }
    out.flush();
  }

  /** A line of JSON, only in that style. */
  void json(String object) {
    if (style == Style.JSON) {
      out.println(object);
      out.flush();
    }
  }

  /**
   * Shows the gears of both replicas, how far the secondary is behind, and the client's stream: a
   * line that is redrawn on a terminal, one a second elsewhere.
   *
   * @param primary null if there is none
   * @param secondary null if there is none
   */
  void status(Gears primary, Gears secondary, long acknowledged, double replyMs) {
    if (style == Style.TERMINAL) {
      redraw(primary, secondary, acknowledged, replyMs);
      return;
    }
    long now = System.nanoTime();
    if (acknowledged == 0 || now - statusAt < 1_000_000_000L) {
      return;
    }
    statusAt = now;
    double lagMs = primary == null ? 0 : primary.lagMs();
    if (style == Style.PLAIN) {
      out.printf(
          Locale.ROOT,
          "          acknowledged %d (%.2f ms)%s%n",
          acknowledged,
          replyMs,
          secondary == null ? "" : String.format(Locale.ROOT, ", secondary %.1f ms behind", lagMs));
    } else {
      out.printf(
          Locale.ROOT,
          "{\"event\":\"status\",\"seconds\":%.3f,\"acknowledged\":%d,\"reply_ms\":%.3f,\"lag_ms\":%.3f}%n",
          (now - startNanos) / 1e9,
          acknowledged,
          replyMs,
          lagMs);
    }
    out.flush();
  }

  /** Within 80 columns: a line that wraps cannot be redrawn. */
  private void redraw(Gears primary, Gears secondary, long acknowledged, double replyMs) {
    clear();
    double lagMs = primary == null ? 0 : primary.lagMs();
    int lag = (int) Math.min(BAR, Math.round(lagMs / BAR_MS));
    out.printf(
        Locale.ROOT,
        "   %s  %s [%s%s] %.1f ms behind  acknowledged %d (%.2f ms)",
        gear("primary", primary, "\u001b[36m"),
        gear("secondary", secondary, "\u001b[35m"),
        "#".repeat(lag),
        ".".repeat(BAR - lag),
        Math.min(lagMs, LAG_SHOWN_MAX_MS),
        acknowledged,
        Math.min(replyMs, LAG_SHOWN_MAX_MS));
    out.flush();
    statusShown = true;
  }

  private static String gear(String role, Gears gears, String colour) {
    if (gears == null) {
      return "\u001b[2m%s -\u001b[0m".formatted(role);
    }
    char[] wheel = {'|', '/', '-', '\\'};
    return "%s%s %c%s".formatted(colour, role, wheel[(int) (gears.turns() & 3)], RESET);
  }

  /** Takes the status line away. */
  void clear() {
    if (statusShown) {
      out.print(CLEAR_LINE);
      statusShown = false;
    }
  }
}
