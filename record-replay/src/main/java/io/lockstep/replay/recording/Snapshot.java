package io.lockstep.replay.recording;

import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.snapshot.StateWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A machine's state at a point, copied out of it, so that the machine can go on while this is
 * written. {@link #close} gives the copy's memory back.
 */
final class Snapshot implements AutoCloseable {
  final int number;
  final int base;
  final long point;
  final long ticks;
  final long nextLsn;
  final byte[] state;
  final int[] pages;
  final int[] zeroPages;
  final MemorySegment contents;
  private final Arena arena;

  private Snapshot(
      int number,
      int base,
      long nextLsn,
      VirtualMachine machine,
      int[] pages,
      int[] zeroPages,
      Arena arena,
      MemorySegment contents) {
    this.number = number;
    this.base = base;
    this.nextLsn = nextLsn;
    this.point = machine.steps();
    this.ticks = machine.ticks();
    StateWriter out = new StateWriter();
    machine.saveState(out);
    this.state = out.toByteArray();
    this.pages = pages;
    this.zeroPages = zeroPages;
    this.arena = arena;
    this.contents = contents;
  }

  /**
   * Copies a machine that does not run.
   *
   * @param number of this snapshot
   * @param base the snapshot since which changed pages are copied; -1 for a complete one
   * @param nextLsn lsn of the entry that follows
   */
  static Snapshot of(VirtualMachine machine, int number, int base, long nextLsn) {
    GuestRam ram = machine.ram();
    byte[] flags = ram.flags();
    int[] changed = new int[ram.pages()];
    int[] zero = new int[ram.pages()];
    int changedCount = 0;
    int zeroCount = 0;
    for (int page = 0; page < flags.length; page++) {
      if (base >= 0 && (flags[page] & GuestRam.DIRTY_SNAPSHOT) == 0) {
        continue;
      }
      if (!isZero(ram.page(page))) {
        changed[changedCount++] = page;
      } else if (base >= 0) {
        zero[zeroCount++] = page;
      }
    }
    Arena arena = Arena.ofShared();
    MemorySegment contents = arena.allocate(Math.max(1, (long) changedCount * GuestRam.PAGE));
    for (int i = 0; i < changedCount; i++) {
      MemorySegment.copy(
          ram.page(changed[i]), 0, contents, (long) i * GuestRam.PAGE, GuestRam.PAGE);
    }
    machine.clearDirty(GuestRam.DIRTY_SNAPSHOT);
    return new Snapshot(
        number,
        base,
        nextLsn,
        machine,
        Arrays.copyOf(changed, changedCount),
        Arrays.copyOf(zero, zeroCount),
        arena,
        contents);
  }

  private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[GuestRam.PAGE]);

  private static boolean isZero(MemorySegment page) {
    return page.mismatch(ZEROS) < 0;
  }

  @Override
  public void close() {
    arena.close();
  }
}
