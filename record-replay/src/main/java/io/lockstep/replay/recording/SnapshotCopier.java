package io.lockstep.replay.recording;

import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.memory.GuestRam;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Copies a machine's memory while the machine runs, and the rest while it stands.
 *
 * <p>{@link #mark} takes the set of pages that are to be copied and begins to watch them; {@link
 * #copyMarked} copies them on another thread, also while the guest writes them: such a page is
 * watched, so it is in the next set, and {@link #finish}, while the guest stands, copies the last
 * set. So the guest stands for as long as it takes to copy what it has written in the last moments,
 * whatever the size of its memory.
 *
 * <p>One that is not finished has taken pages that no snapshot holds: then the next snapshot must
 * be a complete one.
 */
final class SnapshotCopier implements AutoCloseable {
  /** A page that is not part of the snapshot. */
  private static final int OUTSIDE = -1;

  /** A page that is part of it and all zero. */
  private static final int ZERO = -2;

  private static final int PAGES_PER_CHUNK = 256;
  private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[GuestRam.PAGE]);

  private final VirtualMachine machine;
  private final GuestRam ram;
  private final boolean complete;

  /** For each page where it is in the chunks, or one of the above. */
  private final int[] slots;

  private int[] marked = new int[0];
  private boolean begun;
  private final Arena arena = Arena.ofShared();
  private final List<MemorySegment> chunks = new ArrayList<>();
  private int slotsUsed;

  /** A copier of all pages that were ever written, or else of those since the last snapshot. */
  SnapshotCopier(VirtualMachine machine, boolean complete) {
    this.machine = machine;
    this.ram = machine.ram();
    this.complete = complete;
    this.slots = new int[ram.pages()];
    Arrays.fill(slots, OUTSIDE);
  }

  /**
   * On the vCPU thread: the pages to be copied next.
   *
   * @return how many
   */
  int mark() {
    byte[] flags = ram.flags();
    byte wanted = complete && !begun ? GuestRam.WRITTEN : GuestRam.DIRTY_SNAPSHOT;
    int[] found = new int[flags.length];
    int n = 0;
    for (int page = 0; page < flags.length; page++) {
      if ((flags[page] & wanted) != 0) {
        found[n++] = page;
      }
    }
    begun = true;
    marked = Arrays.copyOf(found, n);
    machine.clearDirty(GuestRam.DIRTY_SNAPSHOT);
    return n;
  }

  /**
   * On any thread, after {@link #mark} and before the next one.
   *
   * @throws RecordingException if the host has not enough memory
   */
  void copyMarked() throws RecordingException {
    try {
      for (int page : marked) {
        copy(page);
      }
    } catch (OutOfMemoryError e) {
      throw new RecordingException(
          "this host has not enough free memory for a copy of the guest's", e);
    }
  }

  private void copy(int page) {
    MemorySegment contents = ram.page(page);
    int slot = slots[page];
    if (contents.mismatch(ZEROS) < 0) {
      // A slot that it had is lost; that is rare enough.
      slots[page] = ZERO;
      return;
    }
    if (slot < 0) {
      slot = slotsUsed++;
      if (slot % PAGES_PER_CHUNK == 0) {
        chunks.add(arena.allocate((long) PAGES_PER_CHUNK * GuestRam.PAGE, GuestRam.PAGE));
      }
      slots[page] = slot;
    }
    MemorySegment.copy(contents, 0, slot(slot), 0, GuestRam.PAGE);
  }

  private MemorySegment slot(int slot) {
    return chunks
        .get(slot / PAGES_PER_CHUNK)
        .asSlice((long) (slot % PAGES_PER_CHUNK) * GuestRam.PAGE, GuestRam.PAGE);
  }

  /**
   * On the vCPU thread: copies what is left and the machine's state.
   *
   * @param number of the snapshot
   * @param base the snapshot since which changed pages were copied; -1 for a complete one
   * @param nextLsn lsn of the entry that follows
   * @throws RecordingException if the host has not enough memory
   */
  Snapshot finish(int number, int base, long nextLsn) throws RecordingException {
    mark();
    copyMarked();
    int[] pages = new int[slots.length];
    int[] zero = new int[slots.length];
    int pageCount = 0;
    int zeroCount = 0;
    for (int page = 0; page < slots.length; page++) {
      if (slots[page] >= 0) {
        pages[pageCount++] = page;
      } else if (slots[page] == ZERO && !complete) {
        zero[zeroCount++] = page;
      }
    }
    return new Snapshot(
        number,
        base,
        nextLsn,
        machine,
        Arrays.copyOf(pages, pageCount),
        Arrays.copyOf(zero, zeroCount),
        this);
  }

  /** Copies a page out of the copy. Only pages that the snapshot names. */
  void read(int page, byte[] into, int offset) {
    MemorySegment.copy(slot(slots[page]), 0, MemorySegment.ofArray(into), offset, GuestRam.PAGE);
  }

  @Override
  public void close() {
    arena.close();
  }
}
