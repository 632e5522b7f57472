package io.lockstep.replay.recording;

import io.lockstep.replay.Divergence;
import io.lockstep.replay.store.LogState;
import java.nio.file.Path;

/** What a replay has shown. */
public sealed interface ReplayVerdict {
  /** One sentence. */
  String sentence();

  /**
   * The log was replayed to its last good entry, and every digest was right.
   *
   * @param log how the log ended
   * @param digests how many were right
   * @param point where the machine stands
   */
  record Same(LogState log, long digests, long point) implements ReplayVerdict {
    @Override
    public String sentence() {
      String head =
          "The replay is the same as the recording up to execution point %d (%d digests checked)"
              .formatted(point, digests);
      return log.logCase().lossy() ? head + "; " + log + "." : head + ".";
    }
  }

  /** The replay stands where it was to stop. */
  record Stopped(long lsn, long point, long ticks, long digests) implements ReplayVerdict {
    @Override
    public String sentence() {
      return "Stopped at execution point %d, before lsn %d; %d digests were right."
          .formatted(point, lsn, digests);
    }
  }

  /**
   * The replay is not the same.
   *
   * @param blackBox the file with the details, null if it could not be written
   */
  record Different(Divergence divergence, Path blackBox) implements ReplayVerdict {
    @Override
    public String sentence() {
      return "DIVERGENCE: %s.%s"
          .formatted(divergence, blackBox == null ? "" : " See " + blackBox + ".");
    }
  }
}
