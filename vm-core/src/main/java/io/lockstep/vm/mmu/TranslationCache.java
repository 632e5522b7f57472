package io.lockstep.vm.mmu;

import io.lockstep.vm.snapshot.StateFormatException;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.snapshot.Stateful;
import java.util.Arrays;

/**
 * The guest-visible translations of one kind of access: direct-mapped, {@link #ENTRIES} 4 KiB
 * translations for each of {@link #CONTEXTS} contexts.
 *
 * <p>What is cached here decides whether a page walk happens, and with it whether an accessed or
 * dirty bit is set, which a guest can see. So this is part of the machine's definition: it is
 * filled by every access that misses, by nothing else, and saved in snapshots.
 */
final class TranslationCache implements Stateful {
  /** Translations per context. */
  static final int ENTRIES = 4096;

  /** 0: U; 1: S; 2: S with SUM; 3: M. */
  static final int CONTEXTS = 4;

  private static final int SPARSE = ENTRIES;

  /** Virtual page address | 1, or 0 for an empty entry. */
  final long[] tags = new long[ENTRIES * CONTEXTS];

  /** Physical page address. */
  final long[] frames = new long[ENTRIES * CONTEXTS];

  /**
   * Slots filled since the last flush, in order; more than {@link #SPARSE} are not remembered one
   * by one.
   */
  private final int[] filled = new int[SPARSE];

  private int filledCount;

  /** The slot of a virtual address. */
  static int slot(long virtual, int context) {
    return context * ENTRIES + ((int) (virtual >>> 12) & ENTRIES - 1);
  }

  boolean hits(int slot, long virtual) {
    return tags[slot] == (virtual & -4096L | 1);
  }

  void fill(int slot, long virtual, long frame) {
    if (filledCount < SPARSE) {
      filled[filledCount] = slot;
    }
    filledCount++;
    tags[slot] = virtual & -4096L | 1;
    frames[slot] = frame;
  }

  /** Empties all entries and tells the listener which slots held something. */
  void flush(SlotListener listener) {
    if (filledCount <= SPARSE) {
      for (int i = 0; i < filledCount; i++) {
        tags[filled[i]] = 0;
        listener.onEmptied(filled[i]);
      }
    } else {
      for (int slot = 0; slot < tags.length; slot++) {
        if (tags[slot] != 0) {
          tags[slot] = 0;
          listener.onEmptied(slot);
        }
      }
    }
    filledCount = 0;
  }

  /** Empties the entry of a virtual address in every context. */
  void flush(long virtual, SlotListener listener) {
    for (int context = 0; context < CONTEXTS; context++) {
      int slot = slot(virtual, context);
      if (hits(slot, virtual)) {
        tags[slot] = 0;
        listener.onEmptied(slot);
      }
    }
  }

  /** Told of slots that hold nothing any more. */
  interface SlotListener {
    void onEmptied(int slot);
  }

  @Override
  public void save(StateWriter out) {
    int count = 0;
    for (long tag : tags) {
      count += tag != 0 ? 1 : 0;
    }
    out.section("tlb").putInt(count);
    for (int slot = 0; slot < tags.length; slot++) {
      if (tags[slot] != 0) {
        out.putInt(slot).putLong(tags[slot]).putLong(frames[slot]);
      }
    }
  }

  @Override
  public void restore(StateReader in) {
    in.section("tlb");
    Arrays.fill(tags, 0);
    filledCount = 0;
    int count = in.getInt(0, tags.length);
    for (int i = 0; i < count; i++) {
      int slot = in.getInt(0, tags.length - 1);
      long tag = in.getLong();
      long frame = in.getLong();
      if ((tag & 4095) != 1
          || slot % ENTRIES != (int) (tag >>> 12 & ENTRIES - 1)
          || (frame & 4095) != 0) {
        throw new StateFormatException("saved state holds a translation that cannot exist");
      }
      fill(slot, tag & -4096L, frame);
    }
  }
}
