package io.lockstep.cli.image;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Tells how far a long job is: a bar that moves on a terminal, plain lines elsewhere. */
public final class Progress {
  private static final int BAR_WIDTH = 30;
  private static final Path STANDARD_ERROR = Path.of("/proc/self/fd/2");

  private final PrintStream out;
  private final boolean terminal;

  public Progress(PrintStream out, boolean terminal) {
    this.out = out;
    this.terminal = terminal;
  }

  /** Progress on the process's standard error. */
  public static Progress onStandardError() {
    return new Progress(System.err, standardErrorIsTerminal());
  }

  private static boolean standardErrorIsTerminal() {
    try {
      String target = Files.readSymbolicLink(STANDARD_ERROR).toString();
      return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty");
    } catch (IOException e) {
      return false; // No /proc: plain lines are right everywhere.
    }
  }

  /** Starts a step whose length is not known. */
  Step step(String label) {
    return step(label, 0);
  }

  /** Starts a step of {@code total} bytes, or of unknown length if {@code total} is 0. */
  Step step(String label, long total) {
    return new Step(label, total);
  }

  /** Prints a line of its own. */
  void say(String line) {
    out.println(line);
  }

  /** A part of the job. Closing it says that it is over. */
  final class Step implements AutoCloseable {
    private final String label;
    private final long total;
    private String shown = "";
    private String note = "";
    private boolean open = true;

    private Step(String label, long total) {
      this.label = label;
      this.total = total;
      if (terminal) {
        draw(label + " ...");
      } else {
        out.println(label + " ...");
      }
    }

    /** Shows that {@code done} bytes of the total are done. */
    synchronized void at(long done) {
      if (terminal && open && total > 0) {
        draw(bar(Math.min(done, total)));
      }
    }

    /** Shows what is being done now, where the length is not known. */
    synchronized void doing(String what) {
      if (terminal && open) {
        draw(label + ": " + what);
      }
    }

    /** Adds a remark to the line that stays. */
    synchronized void note(String text) {
      note = ": " + text;
    }

    private String bar(long done) {
      int filled = (int) (done * BAR_WIDTH / total);
      return String.format(
          Locale.ROOT,
          "%s [%s%s] %3d%% of %d MB",
          label,
          "#".repeat(filled),
          " ".repeat(BAR_WIDTH - filled),
          done * 100 / total,
          total / 1_000_000);
    }

    private void draw(String line) {
      if (!line.equals(shown)) {
        out.print("\r" + line + " ".repeat(Math.max(0, shown.length() - line.length())));
        out.flush();
        shown = line;
      }
    }

    @Override
    public synchronized void close() {
      open = false;
      if (terminal) {
        draw(label + note);
        out.println();
      } else if (!note.isEmpty()) {
        out.println(label + note);
      }
    }
  }
}
