package io.lockstep.ft.sim;

import io.lockstep.replay.log.LogEntry;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Log entries on a simulated wire: their number stands for them, the codec has tests of its own.
 */
final class EntryTable {
  private final List<List<LogEntry>> batches = new ArrayList<>();

  byte[] put(List<LogEntry> entries) {
    batches.add(entries);
    return ByteBuffer.allocate(Integer.BYTES).putInt(batches.size() - 1).array();
  }

  List<LogEntry> get(byte[] number) {
    return batches.get(ByteBuffer.wrap(number).getInt());
  }
}
