package io.lockstep.replay.recording;

import io.lockstep.replay.Divergence;
import io.lockstep.replay.Replayer;
import io.lockstep.replay.log.EntryText;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.snapshot.StateWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What is written when a replay diverges: a text for the person who looks for the reason. */
public final class BlackBoxFiles {
  static final String PREFIX = "blackbox-";
  private static final int LONGS_PER_LINE = 4;
  private static final int SECTION_BYTES_MAX = 4096;

  private BlackBoxFiles() {}

  /**
   * Writes {@code blackbox-<lsn>.txt}.
   *
   * @param next what the reader should run next, a command
   * @return the file
   */
  public static Path write(Path directory, Divergence divergence, Replayer replayer, String next)
      throws IOException {
    StringBuilder out = new StringBuilder();
    out.append(divergence).append(".\n\nRun next: ").append(next).append("\n\nLast entries\n");
    List<LogEntry> recent = replayer.recent();
    long lsn = replayer.nextLsn() - recent.size();
    for (LogEntry entry : recent) {
      out.append("  ").append(EntryText.of(lsn++, entry)).append('\n');
    }
    state(out, replayer.machine());
    Path file = directory.resolve(PREFIX + divergence.lsn() + ".txt");
    Files.writeString(file, out);
    return file;
  }

  private static void state(StringBuilder out, VirtualMachine machine) {
    StateWriter writer = new StateWriter();
    machine.saveState(writer);
    out.append(
        "\nMachine at %d, by section (offset: little-endian longs)\n".formatted(machine.steps()));
    byte[] bytes = writer.toByteArray();
    for (int n = 0; n < writer.sections(); n++) {
      int start = writer.sectionStart(n);
      int end =
          n + 1 < writer.sections()
              ? writer.sectionStart(n + 1) - 1 - writer.sectionName(n + 1).length()
              : bytes.length;
      out.append("  ")
          .append(writer.sectionName(n))
          .append(", ")
          .append(end - start)
          .append(" bytes\n");
      int shown = start;
      if (writer.sectionName(n).equals(HartFields.SECTION)
          && end - start >= HartFields.STEPS + Long.BYTES) {
        registers(out, bytes, start);
        shown += HartFields.STEPS + Long.BYTES;
      }
      longs(out, bytes, start, shown, Math.min(end, start + SECTION_BYTES_MAX));
    }
  }

  /** Integer registers, then floating-point ones, then pc and steps. */
  private static void registers(StringBuilder out, byte[] bytes, int start) {
    int column = 0;
    for (int first = 0; first < 2 * Long.BYTES; first += Long.BYTES) {
      for (int at = first; at < HartFields.PC; at += 2 * Long.BYTES) {
        register(out, bytes, start, at, column++);
      }
    }
    register(out, bytes, start, HartFields.PC, column++);
    register(out, bytes, start, HartFields.STEPS, column);
    out.append('\n');
  }

  private static void register(StringBuilder out, byte[] bytes, int start, int at, int column) {
    out.append(column == 0 ? "    " : column % LONGS_PER_LINE == 0 ? "\n    " : " ")
        .append("%5s %016x".formatted(HartFields.name(at), word(bytes, start + at, Long.BYTES)));
  }

  private static long word(byte[] bytes, int at, int length) {
    long v = 0;
    for (int i = 0; i < length; i++) {
      v |= (bytes[at + i] & 0xffL) << 8 * i;
    }
    return v;
  }

  private static void longs(StringBuilder out, byte[] bytes, int start, int from, int end) {
    for (int at = from; at < end; at += 8) {
      if ((at - from) / 8 % LONGS_PER_LINE == 0) {
        out.append(at == from ? "    " : "\n    ").append("%5d:".formatted(at - start));
      }
      int length = Math.min(8, end - at);
      long v = word(bytes, at, length);
      out.append(" %0{}x".replace("{}", Integer.toString(2 * length)).formatted(v));
    }
    out.append('\n');
  }
}
