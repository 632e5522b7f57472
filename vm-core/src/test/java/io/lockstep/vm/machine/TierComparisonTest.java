package io.lockstep.vm.machine;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.engine.EngineOptions;
import io.lockstep.vm.firmware.BootException;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.port.OutputSink;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;

class TierComparisonTest {
  private static final int[] COUNTING_LOOP = {
    0x00000593, // li a1, 0
    0x00158593, // addi a1, a1, 1
    0x00b50533, // add a0, a0, a1
    0xff9ff06f, // j to addi
  };

  private static Machine machine(EngineOptions options) throws BootException {
    MachineConfig config =
        new MachineConfig(1 << 20, ClockMode.INSTRUCTIONS, Firmware.GUEST, 0, List.of());
    Machine machine = new Machine(config, OutputSink.NONE, options);
    ByteBuffer image = ByteBuffer.allocate(COUNTING_LOOP.length * 4).order(ByteOrder.LITTLE_ENDIAN);
    for (int word : COUNTING_LOOP) {
      image.putInt(word);
    }
    machine.boot(new KernelLoader.Images(new byte[0], new byte[0], image.array()), "");
    return machine;
  }

  @Test
  void tiersThatAgreeAreFoundToAgree() throws BootException {
    TierComparison comparison =
        new TierComparison(
            machine(EngineOptions.INTERPRETER),
            machine(EngineOptions.eager(EngineOptions.Mode.REGIONS, 2, 10)));

    assertThat(comparison.run(50_000, 7_000)).isEmpty();
  }

  @Test
  void theFirstStepThatDiffersIsFound() throws BootException {
    Machine machine = machine(EngineOptions.eager(EngineOptions.Mode.REGIONS, 2, 10));
    VirtualMachine wrongFromStep31234 =
        (VirtualMachine)
            Proxy.newProxyInstance(
                VirtualMachine.class.getClassLoader(),
                new Class<?>[] {VirtualMachine.class},
                (proxy, method, arguments) ->
                    method.getName().equals("digest") && machine.steps() >= 31_234
                        ? ~machine.digest()
                        : method.invoke(machine, arguments));
    TierComparison comparison =
        new TierComparison(machine(EngineOptions.INTERPRETER), wrongFromStep31234);

    assertThat(comparison.run(50_000, 7_000)).contains(new TierComparison.Difference(31_233));
  }
}
