package io.lockstep.vm.digest;

import io.lockstep.vm.memory.GuestRam;

/**
 * The digest of all of RAM, kept up to date from the pages that were written: a sum over pages of a
 * hash of index and contents. Being a sum, it depends only on what is in RAM, not on which pages
 * somebody thought had changed.
 */
public final class RamDigest {
  private final GuestRam ram;
  private final long[] hashes;
  private long sum;
  private boolean primed;

  /** Starts with every page unknown. */
  public RamDigest(GuestRam ram) {
    this.ram = ram;
    this.hashes = new long[ram.pages()];
  }

  /**
   * The digest now. Clears {@link GuestRam#DIRTY_DIGEST} on every page; the caller then makes the
   * engine drop its fast write paths.
   */
  public long update() {
    byte[] flags = ram.flags();
    for (int page = 0; page < flags.length; page++) {
      if (!primed || (flags[page] & GuestRam.DIRTY_DIGEST) != 0) {
        long h = Hash64.of(ram.page(page), page);
        sum += h - hashes[page];
        hashes[page] = h;
      }
    }
    primed = true;
    return sum;
  }

  /** The hash of one page, as of the last {@link #update}. */
  public long pageHash(int page) {
    return hashes[page];
  }
}
