package io.lockstep.vm.memory;

import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** Memory that code can be written to and run from, if the host lets a process have such. */
public final class ExecutableMemory {
  private ExecutableMemory() {}

  /**
   * Zeroed memory that costs only what is touched of it.
   *
   * @return it, given back when it is not reachable any more; nothing if the host refuses
   */
  public static Optional<MemorySegment> allocate(long size) {
    return HostMemory.executable(size);
  }
}
