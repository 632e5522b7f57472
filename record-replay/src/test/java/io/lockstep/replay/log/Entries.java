package io.lockstep.replay.log;

import io.lockstep.vm.port.Input;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.random.RandomGenerator;

/** Random entries. */
final class Entries {
  private Entries() {}

  static List<LogEntry> random(RandomGenerator random, int n, long startPoint) {
    List<LogEntry> out = new ArrayList<>();
    long point = startPoint;
    long ticks = 0;
    long outputs = 0;
    for (int i = 0; i < n; i++) {
      point += random.nextInt(4) == 0 ? 0 : random.nextLong(1L << random.nextInt(1, 40));
      ticks += random.nextLong(1L << random.nextInt(1, 30));
      outputs += random.nextInt(5);
      out.add(entry(random, point, ticks, outputs));
    }
    return out;
  }

  private static LogEntry entry(RandomGenerator random, long point, long ticks, long outputs) {
    return switch (random.nextInt(12)) {
      case 0 -> new LogEntry.OutputMark(point, outputs);
      case 1 -> new LogEntry.Digest(point, random.nextLong());
      case 2 -> new LogEntry.EpochChange(point, random.nextLong(1000));
      case 3 -> new LogEntry.Flush(point);
      case 4 -> new LogEntry.SnapshotMark(point, random.nextInt(100));
      case 5, 6 -> {
        long slope = random.nextBoolean() ? 1 << 28 : random.nextLong(1L << 40);
        long cap = random.nextInt(10) == 0 ? Long.MAX_VALUE : ticks + 50_000;
        yield input(point, new Input.ClockReading(ticks, slope, cap));
      }
      case 7 -> input(point, new Input.ConsoleInput(random.nextInt(9), bytes(random, 60)));
      case 8 ->
          input(
              point,
              new Input.BlockCompletion(
                  random.nextInt(9),
                  random.nextLong(1L << 50),
                  Input.BlockStatus.values()[random.nextInt(3)],
                  bytes(random, 5000)));
      case 9 -> {
        byte[] frame = bytes(random, 2000);
        if (frame.length >= 12 && random.nextBoolean()) {
          java.util.Arrays.fill(frame, 0, 12, (byte) 0);
        }
        yield input(point, new Input.PacketArrival(random.nextInt(9), frame));
      }
      case 10 ->
          input(
              point,
              new Input.EntropyDelivery(
                  random.nextInt(9), random.nextLong(1L << 40), bytes(random, 64)));
      default -> input(point, new Input.Control(Input.ControlKind.values()[random.nextInt(3)]));
    };
  }

  /** All of an entry as text, contents of arrays included. */
  static String text(LogEntry entry) {
    if (!(entry instanceof LogEntry.InputEntry e)) {
      return entry.toString();
    }
    HexFormat hex = HexFormat.of();
    return e.point()
        + switch (e.input()) {
          case Input.ClockReading i -> i.toString();
          case Input.Control i -> i.toString();
          case Input.ConsoleInput i -> " console " + i.device() + hex.formatHex(i.data());
          case Input.PacketArrival i -> " packet " + i.device() + hex.formatHex(i.frame());
          case Input.EntropyDelivery i ->
              " entropy " + i.device() + " " + i.requestId() + hex.formatHex(i.data());
          case Input.BlockCompletion i ->
              " block %d %d %s ".formatted(i.device(), i.requestId(), i.status())
                  + hex.formatHex(i.data());
        };
  }

  static LogEntry input(long point, Input input) {
    return new LogEntry.InputEntry(point, input);
  }

  static byte[] bytes(RandomGenerator random, int max) {
    byte[] b = new byte[random.nextInt(max + 1)];
    random.nextBytes(b);
    return b;
  }
}
