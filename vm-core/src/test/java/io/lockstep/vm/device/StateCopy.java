package io.lockstep.vm.device;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.snapshot.Stateful;

/** Carries state from one object to another, and checks that nothing is lost or left over. */
final class StateCopy {
  private StateCopy() {}

  static void copy(Stateful from, Stateful to) {
    byte[] state = bytes(from);
    StateReader reader = new StateReader(state);
    to.restore(reader);
    assertThat(reader.atEnd()).isTrue();
    assertThat(bytes(to)).isEqualTo(state);
  }

  static byte[] bytes(Stateful of) {
    StateWriter out = new StateWriter();
    of.save(out);
    return out.toByteArray();
  }
}
