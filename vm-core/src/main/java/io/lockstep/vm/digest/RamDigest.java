package io.lockstep.vm.digest;

import io.lockstep.vm.memory.GuestRam;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The digest of all of RAM, kept up to date from the pages that were written: a sum over pages of a
 * hash of index and contents, to which a page of zeroes adds nothing. Being a sum, it depends only
 * on what is in RAM, not on which pages somebody thought had changed; and pages that were never
 * written need not be read.
 */
public final class RamDigest {
  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final MemorySegment ZEROES = MemorySegment.ofArray(new byte[GuestRam.PAGE]);

  private final GuestRam ram;
  private final long[] hashes;
  private final long[] words = new long[GuestRam.PAGE / Long.BYTES];
  private long sum;

  /** Where {@link #updatePart} goes on. */
  private int next;

  /** Pages from here on have not had their turn yet. */
  private int known;

  /** Starts with RAM as it is made, all zeroes. */
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
      if ((flags[page] & GuestRam.DIRTY_DIGEST) != 0) {
        look(page);
      }
    }
    known = flags.length;
    return sum;
  }

  /**
   * Looks at the next {@code pagesMax} written pages, so that the first {@link #update} need not
   * look at all at once. Clears flags as {@code update} does.
   *
   * @return whether all pages have had their turn
   */
  public boolean prepare(int pagesMax) {
    byte[] flags = ram.flags();
    for (int looked = 0; known < flags.length && looked < pagesMax; known++) {
      if ((flags[known] & GuestRam.DIRTY_DIGEST) != 0) {
        look(known);
        flags[known] &= ~GuestRam.DIRTY_DIGEST;
        looked++;
      }
    }
    return known == flags.length;
  }

  /**
   * Looks at up to {@code pagesMax} written pages, going round and round through RAM, so that the
   * next {@link #update} has less to do. Clears flags as {@code update} does.
   *
   * @return how many pages it has looked at; fewer than {@code pagesMax} if no more were written
   */
  public int updatePart(int pagesMax) {
    byte[] flags = ram.flags();
    int looked = 0;
    for (int tried = 0; tried < flags.length && looked < pagesMax; tried++) {
      int page = next;
      next = next + 1 == flags.length ? 0 : next + 1;
      if ((flags[page] & GuestRam.DIRTY_DIGEST) != 0) {
        look(page);
        flags[page] &= ~GuestRam.DIRTY_DIGEST;
        looked++;
      }
    }
    return looked;
  }

  /** Whether every page has had its turn. */
  public boolean isPrepared() {
    return known == hashes.length;
  }

  private void look(int page) {
    MemorySegment contents = ram.page(page);
    long h = contents.mismatch(ZEROES) < 0 ? 0 : hash(contents, page);
    sum += h - hashes[page];
    hashes[page] = h;
  }

  /** By way of an array, which code that is not compiled yet reads ten times as fast. */
  private long hash(MemorySegment contents, int page) {
    MemorySegment.copy(contents, WORD, 0, words, 0, words.length);
    return Hash64.of(words, page);
  }

  /** The hash of one page, as of the last {@link #update}. */
  public long pageHash(int page) {
    return hashes[page];
  }
}
