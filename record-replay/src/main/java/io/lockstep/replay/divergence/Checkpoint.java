package io.lockstep.replay.divergence;

import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * A state in memory to which machines that were equal when it was taken can be set back cheaply:
 * only pages that changed since are copied. It owns the snapshot dirty bits of all of them.
 */
final class Checkpoint {
  private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[GuestRam.PAGE]);

  private final List<VirtualMachine> machines = new ArrayList<>();

  /** What is in each page of memory; null if nothing but zeros. */
  private final byte[][] pages;

  private byte[] state;

  /** Takes the state of a machine. */
  Checkpoint(VirtualMachine machine) {
    machines.add(machine);
    pages = new byte[machine.ram().pages()][];
    machine.clearDirty(GuestRam.DIRTY_SNAPSHOT);
    byte[] flags = machine.ram().flags();
    for (int page = 0; page < pages.length; page++) {
      if ((flags[page] & GuestRam.WRITTEN) != 0) {
        copy(machine.ram(), page);
      }
    }
    saveState();
  }

  /** Makes another machine, which has not run yet, the same as the checkpoint, and one of its. */
  void add(VirtualMachine machine) {
    for (int page = 0; page < pages.length; page++) {
      if (pages[page] != null) {
        write(machine.ram(), page, pages[page]);
      }
    }
    machine.restoreState(new StateReader(state));
    machine.clearDirty(GuestRam.DIRTY_SNAPSHOT);
    machines.add(machine);
  }

  /** Moves the checkpoint to the machines' present state, which is equal. */
  void advance() {
    for (VirtualMachine machine : machines) {
      byte[] flags = machine.ram().flags();
      for (int page = 0; page < pages.length; page++) {
        if ((flags[page] & GuestRam.DIRTY_SNAPSHOT) != 0) {
          copy(machine.ram(), page);
        }
      }
      machine.clearDirty(GuestRam.DIRTY_SNAPSHOT);
    }
    saveState();
  }

  /** Sets all machines back. */
  void restore() {
    byte[] zeros = new byte[GuestRam.PAGE];
    for (VirtualMachine machine : machines) {
      GuestRam ram = machine.ram();
      for (int page = 0; page < pages.length; page++) {
        if ((ram.flags()[page] & GuestRam.DIRTY_SNAPSHOT) != 0) {
          write(ram, page, pages[page] == null ? zeros : pages[page]);
        }
      }
      machine.restoreState(new StateReader(state));
      machine.clearDirty(GuestRam.DIRTY_SNAPSHOT);
    }
  }

  private static void write(GuestRam ram, int page, byte[] contents) {
    ram.write(GuestRam.BASE + (long) page * GuestRam.PAGE, contents, 0, GuestRam.PAGE);
  }

  private void copy(GuestRam ram, int page) {
    byte[] contents = ram.page(page).toArray(ValueLayout.JAVA_BYTE);
    boolean zero = MemorySegment.ofArray(contents).mismatch(ZEROS) < 0;
    pages[page] = zero ? null : contents;
  }

  private void saveState() {
    StateWriter out = new StateWriter();
    machines.getFirst().saveState(out);
    state = out.toByteArray();
  }
}
