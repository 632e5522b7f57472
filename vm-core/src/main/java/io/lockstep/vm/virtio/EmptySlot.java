package io.lockstep.vm.virtio;

import io.lockstep.vm.port.Input;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;

/** A slot without a device: device type 0, which drivers skip (virtio 1.2 §4.2.2.1). */
final class EmptySlot extends VirtioDevice {
  @Override
  int type() {
    return 0;
  }

  @Override
  void notified(int queue) {}

  @Override
  void reset() {}

  @Override
  public void apply(Input input) {}

  @Override
  public void save(StateWriter out) {}

  @Override
  public void restore(StateReader in) {}
}
