package io.lockstep.ft.pair;

import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.memory.GuestRam;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Copies guest memory to a secondary while the guest runs.
 *
 * <p>Why no write is missed although pages are read while the guest writes them: a round first
 * takes the set of dirty pages and clears their bits, both in one go on the vCPU thread, and
 * clearing makes the engine drop its fast write paths. A write that happens later sets the page's
 * bit again, so the page is in the next round's set, whether or not this round's copy saw the
 * write, or half of it. The last round runs while the vCPU stands still, so its copies are exact
 * and nothing is dirty afterwards.
 *
 * <p>Encoded pages: for each page its index (4 bytes, little-endian; bit 31 set if the page is all
 * zeros), then, unless it is zero, its 4096 bytes.
 */
public class AttachCopier {
  /** Pages in one message. */
  public static final int BATCH_PAGES = 64;

  private static final int ZERO_FLAG = 1 << 31;
  private static final int INDEX_BYTES = 4;

  private final VirtualMachine machine;

  /** A copier of the machine's memory. */
  public AttachCopier(VirtualMachine machine) {
    this.machine = machine;
  }

  /**
   * On the vCPU thread: all pages that were ever written, and begins to track. The others are zero
   * here as in the new machine.
   */
  public int[] firstRound() {
    machine.clearDirty(GuestRam.DIRTY_ATTACH);
    return pagesWith(GuestRam.WRITTEN);
  }

  /** On the vCPU thread: the pages written since the last round began, and tracks anew. */
  public int[] nextRound() {
    int[] dirty = pagesWith(GuestRam.DIRTY_ATTACH);
    machine.clearDirty(GuestRam.DIRTY_ATTACH);
    return dirty;
  }

  /** On the vCPU thread: how many pages have been written since the last round began. */
  public int dirtyCount() {
    return pagesWith(GuestRam.DIRTY_ATTACH).length;
  }

  private int[] pagesWith(byte flag) {
    byte[] flags = machine.ram().flags();
    int[] pages = new int[flags.length];
    int n = 0;
    for (int page = 0; page < flags.length; page++) {
      if ((flags[page] & flag) != 0) {
        pages[n++] = page;
      }
    }
    return Arrays.copyOf(pages, n);
  }

  /** From any thread: {@code pages[from..to)} and their present contents. */
  public static byte[] encode(GuestRam ram, int[] pages, int from, int to) {
    byte[] out = new byte[(to - from) * (INDEX_BYTES + GuestRam.PAGE)];
    int at = 0;
    for (int i = from; i < to; i++) {
      MemorySegment page = ram.page(pages[i]);
      MemorySegment.copy(page, ValueLayout.JAVA_BYTE, 0, out, at + INDEX_BYTES, GuestRam.PAGE);
      boolean zero = isZero(out, at + INDEX_BYTES);
      putInt(out, at, zero ? pages[i] | ZERO_FLAG : pages[i]);
      at += zero ? INDEX_BYTES : INDEX_BYTES + GuestRam.PAGE;
    }
    return at == out.length ? out : Arrays.copyOf(out, at);
  }

  /**
   * Writes encoded pages into the memory of a machine that is being made.
   *
   * @return empty, or what is wrong with the bytes
   */
  public static String apply(GuestRam ram, byte[] encoded) {
    int at = 0;
    while (at < encoded.length) {
      if (encoded.length - at < INDEX_BYTES) {
        return "a page index is cut short";
      }
      int word = getInt(encoded, at);
      int page = word & ~ZERO_FLAG;
      boolean zero = word < 0;
      at += INDEX_BYTES;
      if (page >= ram.pages() || !zero && encoded.length - at < GuestRam.PAGE) {
        return "page %d is outside memory or cut short".formatted(page);
      }
      long address = GuestRam.BASE + (long) page * GuestRam.PAGE;
      if (zero) {
        ram.zero(address, GuestRam.PAGE);
      } else {
        ram.write(address, encoded, at, GuestRam.PAGE);
        at += GuestRam.PAGE;
      }
    }
    return "";
  }

  private static boolean isZero(byte[] bytes, int from) {
    return Arrays.mismatch(bytes, from, from + GuestRam.PAGE, ZEROS, 0, GuestRam.PAGE) < 0;
  }

  private static final byte[] ZEROS = new byte[GuestRam.PAGE];

  private static void putInt(byte[] into, int at, int v) {
    for (int i = 0; i < INDEX_BYTES; i++) {
      into[at + i] = (byte) (v >>> 8 * i);
    }
  }

  private static int getInt(byte[] from, int at) {
    return from[at] & 0xff
        | (from[at + 1] & 0xff) << 8
        | (from[at + 2] & 0xff) << 16
        | from[at + 3] << 24;
  }
}
