package io.lockstep.replay;

import java.io.IOException;

/** Takes the bytes of a log stream: a file, or the way to a secondary. */
public interface FrameSink {
  /**
   * Takes whole frames, the first call's beginning with the stream's header. The array is the
   * caller's again afterwards.
   *
   * @param lastLsn lsn of the last entry in them; the header's first lsn - 1 if there is none yet
   * @throws IOException if they cannot be kept; nothing more will be given
   */
  void write(byte[] bytes, int length, long lastLsn) throws IOException;
}
