package io.lockstep.replay.divergence;

import io.lockstep.replay.Divergence;
import java.util.List;

/** What bisecting a recording has found. */
public sealed interface BisectResult {
  /** One or more lines for a person. */
  String text();

  /** No replay differs from the recording. */
  record NoDivergence(long digests) implements BisectResult {
    @Override
    public String text() {
      return "No divergence: two replays agree with all %d digests of the recording."
          .formatted(digests);
    }
  }

  /**
   * The step at which two replays begin to differ.
   *
   * @param step the execution point before the step: all is equal there
   * @param atInput whether it is not the step but an input applied after it that makes the
   *     difference
   * @param pc the program counter before the step, -1 if unknown
   * @param differences after it
   */
  record FirstDifference(
      long step, boolean atInput, long pc, List<StateDiff.Difference> differences)
      implements BisectResult {
    @Override
    public String text() {
      StringBuilder out = new StringBuilder("The first difference is made by ");
      out.append(
          atInput
              ? "applying the inputs at execution point " + (step + 1)
              : "the step at execution point " + step);
      if (pc != -1) {
        out.append(" (pc 0x").append(Long.toHexString(pc)).append(')');
      }
      out.append(". Two replays have then:");
      for (StateDiff.Difference difference : differences) {
        out.append("\n  ").append(difference);
      }
      return out.toString();
    }
  }

  /**
   * All replays agree with each other, and none with the recording: whatever happened, happened
   * while it was recorded.
   *
   * @param goodPoint the last point at which the recording agrees
   * @param badPoint the first at which it does not
   */
  record OnlyRecordingDiffers(long goodPoint, long badPoint, Divergence divergence)
      implements BisectResult {
    @Override
    public String text() {
      return ("Replays agree with each other but not with the recording, which went another way"
              + " between execution points %d and %d (%s). Try other engines, or suspect the"
              + " recording host.")
          .formatted(goodPoint, badPoint, divergence);
    }
  }
}
