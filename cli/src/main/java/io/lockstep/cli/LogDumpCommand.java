package io.lockstep.cli;

import io.lockstep.replay.log.DecodeResult.Decoded;
import io.lockstep.replay.log.EntryText;
import io.lockstep.replay.store.LogStoreReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code lockstep log dump}. */
@Command(
    name = "dump",
    description = "Print entries, one a line: lsn, execution point, type, fields.",
    footer = {
      "",
      "Examples:",
      "  lockstep log dump first-run --from 100 --to 120",
      "  lockstep log dump first-run --type disk"
    })
final class LogDumpCommand implements Callable<Integer> {
  @Spec private CommandSpec command;
  @Mixin private RecordingArgument argument;

  @Option(names = "--from", paramLabel = "LSN", description = "First entry. Default: 0.")
  private long from;

  @Option(names = "--to", paramLabel = "LSN", description = "Last entry. Default: the last one.")
  private long to = Long.MAX_VALUE;

  @Option(
      names = "--type",
      paramLabel = "TYPE",
      description =
          "Only entries of this type: clock, console, disk, packet, entropy, control, mark, digest,"
              + " epoch, flush, snapshot or end.")
  private String type;

  @Override
  public Integer call() {
    PrintWriter out = command.commandLine().getOut();
    try (LogStoreReader log = argument.open().log()) {
      for (Decoded d = log.next(); d != null && d.lsn() <= to; d = log.next()) {
        if (d.lsn() >= from && (type == null || type.equals(EntryText.type(d.entry())))) {
          out.println(EntryText.of(d.lsn(), d.entry()));
        }
        if (out.checkError()) {
          return ExitStatus.OK;
        }
      }
      if (log.state() != null && log.state().logCase().lossy()) {
        command.commandLine().getErr().println("lockstep: " + log.state() + ".");
      }
    } catch (IOException e) {
      throw new UserError("The log cannot be read: " + e.getMessage() + ".", e);
    }
    return ExitStatus.OK;
  }
}
