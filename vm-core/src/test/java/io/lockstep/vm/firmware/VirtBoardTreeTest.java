package io.lockstep.vm.firmware;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VirtBoardTreeTest {
  private static final VirtBoardTree.Cpu CPU =
      new VirtBoardTree.Cpu("rv64imafdc_zicsr", "rv64i", List.of("i", "m", "zicboz"), "riscv,sv48");

  private static byte[] blob(Firmware firmware) {
    MachineConfig config =
        new MachineConfig(128L << 20, ClockMode.INSTRUCTIONS, firmware, 0, List.of());
    return VirtBoardTree.build(
        config,
        CPU,
        new VirtBoardTree.Chosen("console=ttyS0", 0x8700_0000L, 0x8712_3456L, new byte[] {1, 2}));
  }

  private static String text(byte[] value) {
    return new String(value, US_ASCII);
  }

  private static int[] cells(byte[] value) {
    int[] out = new int[value.length / 4];
    ByteBuffer.wrap(value).asIntBuffer().get(out);
    return out;
  }

  @Test
  void theTreeReadsBackAsItWasBuilt() {
    byte[] blob = blob(Firmware.BUILT_IN);
    assertThat(ByteBuffer.wrap(blob).getInt(4)).isEqualTo(blob.length);
    Map<String, byte[]> tree = FdtReader.read(blob);
    assertThat(text(tree.get("/chosen/bootargs"))).isEqualTo("console=ttyS0\0");
    assertThat(cells(tree.get("/chosen/linux,initrd-end"))).containsExactly(0, 0x8712_3456);
    assertThat(tree.get("/chosen/rng-seed")).containsExactly(1, 2);
    assertThat(cells(tree.get("/memory@80000000/reg")))
        .containsExactly(0, 0x8000_0000, 0, 128 << 20);
    assertThat(text(tree.get("/cpus/cpu@0/riscv,isa-extensions"))).isEqualTo("i\0m\0zicboz\0");
    assertThat(cells(tree.get("/cpus/cpu@0/riscv,cboz-block-size"))).containsExactly(64);
    assertThat(cells(tree.get("/soc/virtio_mmio@10008000/reg")))
        .containsExactly(0, 0x1000_8000, 0, 0x1000);
    assertThat(cells(tree.get("/soc/virtio_mmio@10008000/interrupts"))).containsExactly(8);
    assertThat(tree.get("/soc/ranges")).isEmpty();
  }

  @Test
  void theMachineModeHalfIsOnlyShownToFirmware() {
    Map<String, byte[]> supervisor = FdtReader.read(blob(Firmware.BUILT_IN));
    Map<String, byte[]> machine = FdtReader.read(blob(Firmware.GUEST));
    assertThat(supervisor).doesNotContainKey("/soc/clint@2000000/");
    assertThat(machine).containsKey("/soc/clint@2000000/");
    assertThat(cells(supervisor.get("/soc/plic@c000000/interrupts-extended")))
        .containsExactly(2, -1, 2, 9);
    assertThat(cells(machine.get("/soc/plic@c000000/interrupts-extended")))
        .containsExactly(2, 11, 2, 9);
  }

  @Test
  void nodesMustEnd() {
    Fdt fdt = new Fdt().begin("");
    assertThatThrownBy(fdt::toByteArray).isInstanceOf(IllegalStateException.class);
  }

  /** Every device that both boards have is described alike. */
  @Test
  void theDevicesAreThoseOfQemusBoard(@TempDir Path dir) throws Exception {
    Path dump = dir.resolve("virt.dtb");
    assumeThat(qemuDumps(dump))
        .as("qemu-system-riscv64 is needed; install the Debian package qemu-system-misc")
        .isTrue();
    Map<String, byte[]> qemu = FdtReader.read(Files.readAllBytes(dump));
    Map<String, byte[]> ours = FdtReader.read(blob(Firmware.GUEST));
    for (String device :
        List.of(
            "test@100000",
            "rtc@101000",
            "clint@2000000",
            "plic@c000000",
            "serial@10000000",
            "virtio_mmio@10001000",
            "virtio_mmio@10008000")) {
      Map<String, byte[]> expected = properties(qemu, device);
      Map<String, byte[]> actual = properties(ours, device);
      assertThat(actual.keySet()).as(device).isEqualTo(expected.keySet());
      expected.forEach(
          (name, value) -> {
            // Versions of QEMU count the interrupt sources with and without number 0, and number
            // the nodes differently.
            if (!name.equals("riscv,ndev")
                && !name.endsWith("phandle")
                && !name.startsWith("interrupt")) {
              assertThat(actual.get(name)).as(device + " " + name).isEqualTo(value);
            }
          });
    }
  }

  private static Map<String, byte[]> properties(Map<String, byte[]> tree, String device) {
    Map<String, byte[]> out = new TreeMap<>();
    String prefix = "/soc/" + device + "/";
    tree.forEach(
        (path, value) -> {
          if (path.startsWith(prefix)) {
            out.put(path.substring(prefix.length()), value);
          }
        });
    assertThat(out).as(device).isNotEmpty();
    return out;
  }

  private static boolean qemuDumps(Path to) throws InterruptedException {
    try {
      return new ProcessBuilder("qemu-system-riscv64", "-M", "virt,dumpdtb=" + to, "-m", "128")
                  .redirectErrorStream(true)
                  .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                  .start()
                  .waitFor()
              == 0
          && Files.exists(to);
    } catch (IOException e) {
      return false;
    }
  }
}
