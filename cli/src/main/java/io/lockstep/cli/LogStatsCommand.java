package io.lockstep.cli;

import io.lockstep.replay.log.DecodeResult.Decoded;
import io.lockstep.replay.log.EntryText;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.recording.Recording;
import io.lockstep.replay.store.LogStoreReader;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.port.Input;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code lockstep log stats}. */
@Command(
    name = "stats",
    description = "How many entries and bytes of which type, and the rates.",
    footer = {"", "Example:", "  lockstep log stats first-run"})
final class LogStatsCommand implements Callable<Integer> {
  @Spec private CommandSpec command;
  @Mixin private RecordingArgument argument;

  /** Sums of one type. */
  private static final class Sum {
    long entries;
    long bytes;
    long payload;
  }

  @Override
  public Integer call() {
    Recording recording = argument.open();
    Map<String, Sum> sums = new TreeMap<>();
    Sum all = new Sum();
    long firstTicks = -1;
    long lastTicks = 0;
    long points;
    try (LogStoreReader log = recording.log()) {
      for (Decoded d = log.next(); d != null; d = log.next()) {
        add(sums.computeIfAbsent(EntryText.type(d.entry()), _ -> new Sum()), d);
        add(all, d);
        if (d.entry() instanceof LogEntry.InputEntry e
            && e.input() instanceof Input.ClockReading reading) {
          lastTicks = reading.ticks();
          firstTicks = firstTicks < 0 ? lastTicks : firstTicks;
        }
      }
      points = log.state().lastPoint() - recording.info().startPoint();
    } catch (IOException e) {
      throw new UserError("The log cannot be read: " + e.getMessage() + ".", e);
    }
    double seconds = (double) (lastTicks - Math.max(0, firstTicks)) / MachineConfig.TIMEBASE_HZ;
    print(command.commandLine().getOut(), sums, all, seconds, points);
    return ExitStatus.OK;
  }

  private static void add(Sum sum, Decoded d) {
    sum.entries++;
    sum.bytes += d.bytes();
    sum.payload += EntryText.payloadBytes(d.entry());
  }

  private static void print(
      PrintWriter out, Map<String, Sum> sums, Sum all, double seconds, long points) {
    out.printf(
        "%-10s %12s %14s %12s %12s %14s%n",
        "type", "entries", "bytes", "bytes/entry", "kbit/s", "bytes/payload");
    sums.forEach((type, sum) -> line(out, type, sum, seconds));
    line(out, "all", all, seconds);
    out.printf(
        "%n%,d instructions in %.1f s of guest time; %.4f bytes of log per 1,000 instructions%n",
        points, seconds, points == 0 ? 0 : all.bytes * 1000.0 / points);
    out.flush();
  }

  private static void line(PrintWriter out, String type, Sum sum, double seconds) {
    out.printf(
        "%-10s %,12d %,14d %12.1f %12s %14s%n",
        type,
        sum.entries,
        sum.bytes,
        sum.entries == 0 ? 0 : (double) sum.bytes / sum.entries,
        seconds > 0 ? "%.3f".formatted(sum.bytes * 8 / seconds / 1000) : "-",
        sum.payload > 0 ? "%.4f".formatted((double) sum.bytes / sum.payload) : "-");
  }
}
