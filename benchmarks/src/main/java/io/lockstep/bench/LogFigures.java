package io.lockstep.bench;

import io.lockstep.replay.Replayer;
import io.lockstep.replay.log.DecodeResult.Decoded;
import io.lockstep.replay.log.EntryText;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.recording.Recording;
import io.lockstep.replay.store.LogStoreReader;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.OutputSink;
import java.io.IOException;
import java.nio.file.Path;

/** What the log of a recording says about its size. */
final class LogFigures {
  private final Recording recording;
  private long lastPoint;
  private long lastTicks;

  /** Opens a recording. */
  LogFigures(Path directory) throws IOException {
    recording = Recording.open(directory);
    try (LogStoreReader log = recording.log()) {
      for (Decoded d = log.next(); d != null; d = log.next()) {
        lastPoint = d.entry().point();
        lastTicks = Math.max(lastTicks, ticks(d.entry()));
      }
    }
  }

  private static long ticks(LogEntry entry) {
    return entry instanceof LogEntry.InputEntry e && e.input() instanceof Input.ClockReading c
        ? c.ticks()
        : 0;
  }

  /** Bytes for 1,000 instructions in the second half of the run. */
  double bytesPerThousandInstructions() throws IOException {
    long from = lastPoint / 2;
    long bytes = 0;
    try (LogStoreReader log = recording.log()) {
      for (Decoded d = log.next(); d != null; d = log.next()) {
        bytes += d.entry().point() > from ? d.bytes() : 0;
      }
    }
    return bytes * 1000.0 / (lastPoint - from);
  }

  /** Thousands of bits a second of guest time, in the last {@code seconds} of the run. */
  double kilobitsPerSecond(double seconds) throws IOException {
    long from = lastTicks - (long) (seconds * MachineConfig.TIMEBASE_HZ);
    long bytes = 0;
    long now = 0;
    try (LogStoreReader log = recording.log()) {
      for (Decoded d = log.next(); d != null; d = log.next()) {
        now = Math.max(now, ticks(d.entry()));
        bytes += now > from ? d.bytes() : 0;
      }
    }
    return bytes * 8 / seconds / 1000;
  }

  /**
   * Bytes of log for each byte that the outside world gave.
   *
   * @param type of entries, see {@link EntryText#type}
   */
  double bytesPerPayload(String type) throws IOException {
    long bytes = 0;
    long payload = 0;
    try (LogStoreReader log = recording.log()) {
      for (Decoded d = log.next(); d != null; d = log.next()) {
        if (EntryText.type(d.entry()).equals(type)) {
          bytes += d.bytes();
          payload += EntryText.payloadBytes(d.entry());
        }
      }
    }
    return (double) bytes / payload;
  }

  /** Replays, and says how long a second of guest time takes, in the last {@code seconds}. */
  double replaySecondsPerSecond(double seconds) throws IOException {
    long from = lastTicks - (long) (seconds * MachineConfig.TIMEBASE_HZ);
    Machine machine = (Machine) recording.restore(Machine::new, OutputSink.NONE, 0);
    Replayer replayer = new Replayer(machine, 0);
    long begin = 0;
    try (LogStoreReader log = recording.log()) {
      for (Decoded d = log.next(); d != null; d = log.next()) {
        if (!(replayer.apply(d.entry()) instanceof Replayer.Outcome.Applied)) {
          throw new IOException("the replay differs from the recording");
        }
        if (begin == 0 && machine.ticks() >= from) {
          begin = System.nanoTime();
        }
      }
    }
    return (System.nanoTime() - begin) / 1e9 / seconds;
  }
}
