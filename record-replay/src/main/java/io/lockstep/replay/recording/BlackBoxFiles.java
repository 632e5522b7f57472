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
      longs(out, bytes, start, Math.min(end, start + SECTION_BYTES_MAX));
    }
  }

  private static void longs(StringBuilder out, byte[] bytes, int start, int end) {
    for (int at = start; at < end; at += 8) {
      if ((at - start) / 8 % LONGS_PER_LINE == 0) {
        out.append(at == start ? "    " : "\n    ").append("%5d:".formatted(at - start));
      }
      long v = 0;
      int length = Math.min(8, end - at);
      for (int i = 0; i < length; i++) {
        v |= (bytes[at + i] & 0xffL) << 8 * i;
      }
      out.append(" %0{}x".replace("{}", Integer.toString(2 * length)).formatted(v));
    }
    out.append('\n');
  }
}
