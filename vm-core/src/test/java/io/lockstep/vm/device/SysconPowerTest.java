package io.lockstep.vm.device;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.machine.VirtualMachine.Power;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SysconPowerTest {
  @Test
  void eachCommandHasItsMeaningAndNothingElseHasOne() {
    List<Power> seen = new ArrayList<>();
    SysconPower power = new SysconPower(seen::add);
    power.write(0, 4, 0x5555);
    power.write(0, 4, 0x7777);
    power.write(0, 4, 0x2a_3333);
    power.write(0, 4, 0);
    power.write(4, 4, 0x5555);
    power.write(0, 1, 0x55);
    assertThat(seen).containsExactly(Power.OFF, Power.REBOOT, Power.FAILED);
    assertThat(power.read(0, 4)).isZero();
  }
}
