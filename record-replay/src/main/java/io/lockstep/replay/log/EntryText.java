package io.lockstep.replay.log;

import io.lockstep.vm.port.Input;

/** Entries as lines for a person. */
public final class EntryText {
  private static final int DATA_SHOWN = 16;

  private EntryText() {}

  /** One line: lsn, execution point, type, fields. */
  public static String of(long lsn, LogEntry entry) {
    return "%8d %14d  %s".formatted(lsn, entry.point(), body(entry));
  }

  /** The type alone, one word, the same for all entries of a type. */
  public static String type(LogEntry entry) {
    return switch (entry) {
      case LogEntry.InputEntry e ->
          switch (e.input()) {
            case Input.ClockReading i -> "clock";
            case Input.ConsoleInput i -> "console";
            case Input.BlockCompletion i -> "disk";
            case Input.PacketArrival i -> "packet";
            case Input.EntropyDelivery i -> "entropy";
            case Input.Control i -> "control";
          };
      case LogEntry.OutputMark e -> "mark";
      case LogEntry.Digest e -> "digest";
      case LogEntry.EpochChange e -> "epoch";
      case LogEntry.Flush e -> "flush";
      case LogEntry.SnapshotMark e -> "snapshot";
      case LogEntry.End e -> "end";
    };
  }

  /**
   * Bytes that the outside world gave with the entry; 0 for all but disk, network, console and
   * entropy.
   */
  public static int payloadBytes(LogEntry entry) {
    return entry instanceof LogEntry.InputEntry e
        ? switch (e.input()) {
          case Input.ClockReading i -> 0;
          case Input.Control i -> 0;
          case Input.ConsoleInput i -> i.data().length;
          case Input.BlockCompletion i -> i.data().length;
          case Input.PacketArrival i -> i.frame().length;
          case Input.EntropyDelivery i -> i.data().length;
        }
        : 0;
  }

  private static String body(LogEntry entry) {
    return type(entry)
        + switch (entry) {
          case LogEntry.InputEntry e -> input(e.input());
          case LogEntry.OutputMark e -> " outputs=" + e.outputs();
          case LogEntry.Digest e -> " %016x".formatted(e.digest());
          case LogEntry.EpochChange e -> " " + e.epoch();
          case LogEntry.Flush e -> "";
          case LogEntry.SnapshotMark e -> " " + e.snapshot();
          case LogEntry.End e -> " " + e.reason();
        };
  }

  private static String input(Input input) {
    return switch (input) {
      case Input.ClockReading i ->
          " ticks=%d slope=%.6f cap=+%d"
              .formatted(i.ticks(), i.slopeQ32() / (double) (1L << 32), i.capTicks() - i.ticks());
      case Input.ConsoleInput i -> " device=%d ".formatted(i.device()) + data(i.data());
      case Input.BlockCompletion i ->
          " device=%d request=%d %s ".formatted(i.device(), i.requestId(), i.status())
              + data(i.data());
      case Input.PacketArrival i -> " device=%d ".formatted(i.device()) + data(i.frame());
      case Input.EntropyDelivery i ->
          " device=%d request=%d ".formatted(i.device(), i.requestId()) + data(i.data());
      case Input.Control i -> " " + i.kind();
    };
  }

  private static String data(byte[] data) {
    StringBuilder out = new StringBuilder().append(data.length).append(" bytes");
    for (int i = 0; i < Math.min(DATA_SHOWN, data.length); i++) {
      out.append(i == 0 ? ": " : i % 4 == 0 ? " " : "").append("%02x".formatted(data[i]));
    }
    return out.append(data.length > DATA_SHOWN ? " ..." : "").toString();
  }
}
