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

  /** Pages from here on have not been looked at yet. */
  private int known;

  /** Starts with every page unknown. */
  public RamDigest(GuestRam ram) {
    this.ram = ram;
    this.hashes = new long[ram.pages()];
  }

  /**
   * The digest now. The caller then clears {@link GuestRam#DIRTY_DIGEST} on every page and makes
   * the engine drop its fast write paths.
   */
  public long update() {
    byte[] flags = ram.flags();
    for (int page = 0; page < flags.length; page++) {
      if (page >= known || (flags[page] & GuestRam.DIRTY_DIGEST) != 0) {
        look(page);
      }
    }
    known = flags.length;
    return sum;
  }

  /**
   * Looks at up to {@code pages} pages for the first time, so that the first {@link #update} need
   * not look at all at once. Clears flags as {@code update} does.
   *
   * @return whether all pages have been looked at
   */
  public boolean prepare(int pages) {
    byte[] flags = ram.flags();
    int end = (int) Math.min(flags.length, (long) known + pages);
    for (; known < end; known++) {
      look(known);
      flags[known] &= ~GuestRam.DIRTY_DIGEST;
    }
    return known == flags.length;
  }

  /** Whether every page has been looked at. */
  public boolean isPrepared() {
    return known == hashes.length;
  }

  private void look(int page) {
    long h = Hash64.of(ram.page(page), page);
    sum += h - hashes[page];
    hashes[page] = h;
  }

  /** The hash of one page, as of the last {@link #update}. */
  public long pageHash(int page) {
    return hashes[page];
  }
}
