package io.lockstep.cli;

import io.lockstep.replay.log.DecodeResult.Decoded;
import io.lockstep.replay.log.EntryText;
import io.lockstep.replay.log.LogEncoder;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.log.LogHeader;
import io.lockstep.replay.store.LogStoreReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code lockstep log diff}. */
@Command(
    name = "diff",
    description = "Name the first entry in which two recordings differ.",
    footer = {
      "",
      "Exit status: 0 when the logs are equal, 1 when they differ.",
      "",
      "Example:",
      "  lockstep log diff first-run second-run"
    })
final class LogDiffCommand implements Callable<Integer> {
  @Spec private CommandSpec command;
  @Mixin private RecordingArgument first;

  @Parameters(index = "1", paramLabel = "OTHER", description = "The other recording.")
  private Path second;

  @Override
  public Integer call() {
    PrintWriter out = command.commandLine().getOut();
    try (LogStoreReader a = first.open().log();
        LogStoreReader b = RecordingArgument.open(second).log()) {
      while (true) {
        Decoded x = a.next();
        Decoded y = b.next();
        if (x == null && y == null) {
          out.println("The logs are equal.");
          return ExitStatus.OK;
        }
        if (x == null || y == null || !equal(x.entry(), y.entry())) {
          out.println("The first difference:");
          out.println(first.directory() + ": " + text(x));
          out.println(second + ": " + text(y));
          return ExitStatus.FAILURE;
        }
      }
    } catch (IOException e) {
      throw new UserError("A log cannot be read: " + e.getMessage() + ".", e);
    } finally {
      out.flush();
    }
  }

  private static String text(Decoded d) {
    return d == null ? "(ends here)" : EntryText.of(d.lsn(), d.entry());
  }

  /** Equal bytes are equal entries. */
  private static boolean equal(LogEntry a, LogEntry b) {
    return a.point() == b.point() && Arrays.equals(bytes(a), bytes(b));
  }

  private static byte[] bytes(LogEntry entry) {
    LogEncoder encoder = new LogEncoder(new LogHeader(0, 0, 0));
    return encoder.encode(entry);
  }
}
