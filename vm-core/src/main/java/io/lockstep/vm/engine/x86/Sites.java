package io.lockstep.vm.engine.x86;

import java.util.Arrays;

/**
 * The instructions in machine code that may have to be done by the run loop: accesses to memory
 * that miss the fast path, and what has no machine code. The state of the hart is in its registers
 * then.
 */
public final class Sites {
  private long[] ops = new long[1024];
  private long[] infos = new long[1024];
  private long[] resumes = new long[1024];
  private long[] continues = new long[1024];
  private int count;

  /** Forgets all. */
  void clear() {
    count = 0;
  }

  /** A new site; what is known only when the unit is complete comes later. */
  int add(long op, long info) {
    if (count == ops.length) {
      ops = Arrays.copyOf(ops, 2 * count);
      infos = Arrays.copyOf(infos, 2 * count);
      resumes = Arrays.copyOf(resumes, 2 * count);
      continues = Arrays.copyOf(continues, 2 * count);
    }
    ops[count] = op;
    infos[count] = info;
    return count++;
  }

  void place(int site, long resume, long continuation) {
    resumes[site] = resume;
    continues[site] = continuation;
  }

  int count() {
    return count;
  }

  /** The operation, {@link io.lockstep.vm.isa.Op}. */
  public long op(int site) {
    return ops[site];
  }

  /** The instruction, {@link io.lockstep.vm.engine.region.AccessInfo}. */
  public long info(int site) {
    return infos[site];
  }

  /** Code that takes the registers back and goes on at {@link #continuation}. */
  long resume(int site) {
    return resumes[site];
  }

  /** The instruction behind. */
  long continuation(int site) {
    return continues[site];
  }
}
