package io.lockstep.replay.recording;

import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.snapshot.StateWriter;

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
  private final SnapshotCopier copy;

  /** Of a machine that stands, whose pages are in {@code copy}. */
  Snapshot(
      int number,
      int base,
      long nextLsn,
      VirtualMachine machine,
      int[] pages,
      int[] zeroPages,
      SnapshotCopier copy) {
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
    this.copy = copy;
  }

  /** Copies the contents of {@code pages[n]}. */
  void readPage(int n, byte[] into, int offset) {
    copy.read(pages[n], into, offset);
  }

  @Override
  public void close() {
    copy.close();
  }
}
