package io.lockstep.replay.live;

import io.lockstep.vm.port.Output;

/**
 * What stands between the machine's outputs and the world. Unprotected, an output passes at once
 * ({@link #passingTo}); protected, it is held until the secondary has acknowledged an {@link
 * io.lockstep.replay.log.LogEntry.OutputMark} for it.
 *
 * <p>All calls come from the vCPU thread. {@link #emit} is called in the middle of a step: it must
 * neither call into the machine nor append to the journal. {@link #commit} follows between two
 * steps, soon after: there the mark is appended.
 */
public interface OutputGate {
  /** Takes an output. Must not block or throw. */
  void emit(Output output);

  /**
   * One or more outputs were emitted since the last call, and all effects of the machine so far lie
   * before {@code point}. A gate that holds outputs appends its output mark with this point to the
   * journal now. May wait (held outputs are bounded).
   */
  default void commit(long point) {}

  /**
   * Whether the loop shall end the run at the next cheap point after an output, so that {@link
   * #commit} follows within microseconds.
   */
  default boolean holdsOutputs() {
    return false;
  }

  /** A gate that lets everything pass to {@code backends} at once. */
  static OutputGate passingTo(io.lockstep.vm.port.OutputSink backends) {
    return backends::emit;
  }
}
