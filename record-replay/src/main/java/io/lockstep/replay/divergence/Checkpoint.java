package io.lockstep.replay.divergence;

import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A state in memory to which two machines, which are equal when it is taken, can be set back
 * cheaply: only pages that changed since are copied. It owns the snapshot dirty bits of both.
 */
final class Checkpoint {
  private final VirtualMachine[] machines;
  private final byte[][] pages;
  private byte[] state;

  Checkpoint(VirtualMachine a, VirtualMachine b) {
    machines = new VirtualMachine[] {a, b};
    pages = new byte[a.ram().pages()][];
    for (VirtualMachine machine : machines) {
      machine.clearDirty(GuestRam.DIRTY_SNAPSHOT);
    }
    for (int page = 0; page < pages.length; page++) {
      copy(a.ram(), page);
    }
    saveState();
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

  /** Sets both machines back. */
  void restore() {
    byte[] zeros = new byte[GuestRam.PAGE];
    for (VirtualMachine machine : machines) {
      GuestRam ram = machine.ram();
      for (int page = 0; page < pages.length; page++) {
        if ((ram.flags()[page] & GuestRam.DIRTY_SNAPSHOT) != 0) {
          byte[] contents = pages[page] == null ? zeros : pages[page];
          ram.write(GuestRam.BASE + (long) page * GuestRam.PAGE, contents, 0, GuestRam.PAGE);
        }
      }
      machine.restoreState(new StateReader(state));
      machine.clearDirty(GuestRam.DIRTY_SNAPSHOT);
    }
  }

  private void copy(GuestRam ram, int page) {
    byte[] contents = ram.page(page).toArray(ValueLayout.JAVA_BYTE);
    boolean zero = MemorySegment.ofArray(contents).mismatch(ZEROS) < 0;
    pages[page] = zero ? null : contents;
  }

  private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[GuestRam.PAGE]);

  private void saveState() {
    StateWriter out = new StateWriter();
    machines[0].saveState(out);
    state = out.toByteArray();
  }
}
