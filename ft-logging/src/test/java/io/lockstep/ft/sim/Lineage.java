package io.lockstep.ft.sim;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * What the world has seen of the guest, whoever ran it. Each of a guest's outputs has a number,
 * counted since its reset.
 */
final class Lineage {
  private final Map<Long, Integer> seen = new HashMap<>();
  private long lastEpoch;
  private long highest = -1;

  /** An output under {@code epoch} took effect on disk or network. */
  void accepted(long epoch, long emission, byte[] content) {
    if (epoch < lastEpoch) {
      throw new Violation("epoch %d acts after epoch %d has acted".formatted(epoch, lastEpoch));
    }
    lastEpoch = epoch;
    if (emission < 0) {
      return;
    }
    int hash = Arrays.hashCode(content);
    Integer before = seen.putIfAbsent(emission, hash);
    if (before != null && before != hash) {
      throw new Violation(
          "output %d contradicts what the world saw as output %d before"
              .formatted(emission, emission));
    }
    highest = Math.max(highest, emission);
  }

  /** A replica goes live that has made {@code history} since output number {@code base}. */
  void goesLive(long base, Map<Long, Integer> history, long outputs) {
    if (highest > outputs) {
      throw new Violation(
          "the world has seen output %d, and the survivor has made only %d"
              .formatted(highest, outputs));
    }
    for (Map.Entry<Long, Integer> e : seen.entrySet()) {
      Integer own = history.get(e.getKey());
      if (e.getKey() >= base && (own == null || !own.equals(e.getValue()))) {
        throw new Violation(
            "the survivor remembers output %d differently from the world".formatted(e.getKey()));
      }
    }
  }
}
