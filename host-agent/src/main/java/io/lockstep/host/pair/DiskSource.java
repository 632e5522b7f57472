package io.lockstep.host.pair;

import io.lockstep.ft.protocol.Epoch;
import io.lockstep.replay.live.BlockBackend;
import java.io.IOException;

/** A disk of a protected machine, on storage that both hosts see. */
public interface DiskSource extends AutoCloseable {
  /** Capacity in 512-byte sectors. */
  long sectors();

  /**
   * Opens the disk for the owner of an epoch. When it returns, nothing that an older owner still
   * writes can be read any more.
   *
   * @throws IOException with a sentence for the user
   */
  BlockBackend open(Epoch epoch) throws IOException;

  @Override
  void close();
}
