package io.lockstep.vm.machine;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.port.OutputSink;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The state in which the built-in firmware hands the hart to a kernel. */
class BuiltInFirmwareTest {
  private static final long KERNEL = 0x8020_0000L;
  private static final int LOADED_AT = 64 + 56;

  /** A kernel of plain instructions. */
  private static byte[] elf(int... instructions) {
    ByteBuffer b =
        ByteBuffer.allocate(LOADED_AT + 4 * instructions.length).order(ByteOrder.LITTLE_ENDIAN);
    b.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1, 0}).putLong(0);
    b.putShort((short) 2).putShort((short) 243).putInt(1);
    b.putLong(KERNEL).putLong(64).putLong(0).putInt(0);
    b.putShort((short) 64).putShort((short) 56).putShort((short) 1);
    b.position(64);
    b.putInt(1).putInt(7).putLong(LOADED_AT).putLong(KERNEL).putLong(KERNEL);
    b.putLong(4L * instructions.length).putLong(4L * instructions.length).putLong(4096);
    for (int instruction : instructions) {
      b.putInt(instruction);
    }
    return b.array();
  }

  @ParameterizedTest
  @CsvSource({"rdcycle, c00027f3", "rdtime, c01027f3", "rdinstret, c02027f3"})
  void userProgramsMayReadTheCounters(String name, String instruction) throws Exception {
    byte[] kernel =
        elf(
            0x00000297, // auipc t0, 0
            0x02028293, // addi  t0, t0, 0x20: the trap handler
            0x10529073, // csrw  stvec, t0
            0xff828293, // addi  t0, t0, -8: the user program
            0x14129073, // csrw  sepc, t0
            0x10200073, // sret: to U-mode
            Integer.parseUnsignedInt(instruction, 16), // the user program
            0x00000073, // ecall
            0x14202373, // handler: csrr t1, scause
            0x001002b7, // lui   t0, 0x100: the power device
            0xff830313, // addi  t1, t1, -8: an ecall from U-mode?
            0x00031863, // bnez  t1, fail
            0x00005eb7, // lui   t4, 5
            0x555e8e93, // addi  t4, t4, 0x555
            0x01d2a023, // sw    t4, 0(t0): power off
            0x00003eb7, // fail: lui t4, 3
            0x333e8e93, // addi  t4, t4, 0x333
            0x01d2a023); // sw   t4, 0(t0): power off, failed
    Machine machine =
        new Machine(
            new MachineConfig(4 << 20, ClockMode.INSTRUCTIONS, Firmware.BUILT_IN, 0, List.of()),
            OutputSink.NONE);
    machine.boot(KernelLoader.Images.of(kernel, new byte[0]), "");

    machine.run(1000);

    assertThat(machine.power()).as(name).isEqualTo(VirtualMachine.Power.OFF);
  }
}
