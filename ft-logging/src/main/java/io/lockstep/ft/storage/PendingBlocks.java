package io.lockstep.ft.storage;

import java.util.ArrayList;
import java.util.List;

/** Blocks that the layer has got and its index does not have yet; neighbours share an entry. */
final class PendingBlocks {
  private List<IndexEntry> entries = new ArrayList<>();

  void data(long start, long count) {
    if (!entries.isEmpty()
        && entries.getLast() instanceof IndexEntry.Data last
        && last.start() + last.count() == start) {
      entries.set(entries.size() - 1, new IndexEntry.Data(last.start(), last.count() + count));
    } else {
      entries.add(new IndexEntry.Data(start, count));
    }
  }

  void zero(long start, long count) {
    entries.add(new IndexEntry.Zero(start, count));
  }

  int size() {
    return entries.size();
  }

  List<IndexEntry> take() {
    List<IndexEntry> taken = entries;
    entries = new ArrayList<>();
    return taken;
  }

  /** What was taken and could not be written comes back, before what came since. */
  void giveBack(List<IndexEntry> taken) {
    taken.addAll(entries);
    entries = taken;
  }
}
