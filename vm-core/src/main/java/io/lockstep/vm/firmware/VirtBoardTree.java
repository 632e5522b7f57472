package io.lockstep.vm.firmware;

import io.lockstep.vm.device.Clint;
import io.lockstep.vm.device.GoldfishRtc;
import io.lockstep.vm.device.Plic;
import io.lockstep.vm.device.PowerButton;
import io.lockstep.vm.device.SysconPower;
import io.lockstep.vm.device.Uart;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.DeviceId;
import io.lockstep.vm.virtio.VirtioMmio;
import java.util.List;

/**
 * The device tree of the board, as QEMU's {@code virt} machine describes its own (minus PCI, flash
 * and fw_cfg, which this board doesn't have).
 *
 * <p>With guest firmware the tree shows the machine-mode half too: the CLINT and the PLIC's machine
 * context. The built-in SBI keeps those for itself, as OpenSBI does when it hands its tree on.
 */
public final class VirtBoardTree {
  private static final int PHANDLE_CPU = 1;
  private static final int PHANDLE_INTC = 2;
  private static final int PHANDLE_PLIC = 3;
  private static final int PHANDLE_TEST = 4;

  private static final int IRQ_MACHINE_SOFTWARE = 3;
  private static final int IRQ_MACHINE_TIMER = 7;
  private static final int IRQ_SUPERVISOR_EXTERNAL = 9;
  private static final int IRQ_MACHINE_EXTERNAL = 11;

  /** The PLIC binding's mark for a context that is not for the reader. */
  private static final int IRQ_NONE = -1;

  private static final int UART_CLOCK_HZ = 3_686_400;
  private static final int CACHE_BLOCK = 64;

  /** Linux, input-event-codes.h. */
  private static final int KEY_POWER = 116;

  private VirtBoardTree() {}

  /**
   * What the hart can do.
   *
   * @param isa the {@code riscv,isa} string, such as {@code rv64imafdc_zicsr_zifencei}
   * @param isaBase the {@code riscv,isa-base}, such as {@code rv64i}
   * @param isaExtensions the {@code riscv,isa-extensions}
   * @param mmuType the {@code mmu-type}, such as {@code riscv,sv48}
   */
  public record Cpu(String isa, String isaBase, List<String> isaExtensions, String mmuType) {
    /** Copies. */
    public Cpu {
      isaExtensions = List.copyOf(isaExtensions);
    }
  }

  /**
   * What is chosen for one start.
   *
   * @param bootArgs the kernel's command line, may be empty
   * @param initrdStart guest physical address of the initrd; equal to {@code initrdEnd} if there is
   *     none
   * @param initrdEnd first address after it
   * @param rngSeed bytes for the kernel's random number generator; empty to leave them out
   */
  public record Chosen(String bootArgs, long initrdStart, long initrdEnd, byte[] rngSeed) {}

  /** Builds the blob. */
  public static byte[] build(MachineConfig config, Cpu cpu, Chosen chosen) {
    boolean machineMode = config.firmware() == Firmware.GUEST;
    Fdt fdt = new Fdt();
    fdt.begin("").cells("#address-cells", 2).cells("#size-cells", 2);
    fdt.strings("compatible", "riscv-virtio").strings("model", "riscv-virtio,qemu");
    chosen(fdt, chosen);
    fdt.begin("memory@80000000").strings("device_type", "memory");
    fdt.longs("reg", GuestRam.BASE, config.memoryBytes()).end();
    cpus(fdt, cpu);
    syscon(fdt, "poweroff", "syscon-poweroff", SysconPower.POWER_OFF);
    syscon(fdt, "reboot", "syscon-reboot", SysconPower.REBOOT);
    powerButton(fdt);
    soc(fdt, machineMode);
    return fdt.end().toByteArray();
  }

  private static void chosen(Fdt fdt, Chosen chosen) {
    fdt.begin("chosen").strings("stdout-path", "/soc/serial@10000000");
    if (!chosen.bootArgs().isEmpty()) {
      fdt.strings("bootargs", chosen.bootArgs());
    }
    if (chosen.initrdEnd() > chosen.initrdStart()) {
      fdt.longs("linux,initrd-start", chosen.initrdStart());
      fdt.longs("linux,initrd-end", chosen.initrdEnd());
    }
    if (chosen.rngSeed().length > 0) {
      fdt.bytes("rng-seed", chosen.rngSeed());
    }
    fdt.end();
  }

  private static void cpus(Fdt fdt, Cpu cpu) {
    fdt.begin("cpus").cells("#address-cells", 1).cells("#size-cells", 0);
    fdt.cells("timebase-frequency", (int) MachineConfig.TIMEBASE_HZ);
    fdt.begin("cpu@0").cells("phandle", PHANDLE_CPU).strings("device_type", "cpu");
    fdt.cells("reg", 0).strings("status", "okay").strings("compatible", "riscv");
    fdt.strings("riscv,isa", cpu.isa()).strings("riscv,isa-base", cpu.isaBase());
    fdt.strings("riscv,isa-extensions", cpu.isaExtensions());
    if (cpu.isaExtensions().contains("zicboz")) {
      fdt.cells("riscv,cboz-block-size", CACHE_BLOCK);
    }
    if (cpu.isaExtensions().contains("zicbom")) {
      fdt.cells("riscv,cbom-block-size", CACHE_BLOCK);
    }
    fdt.strings("mmu-type", cpu.mmuType());
    fdt.begin("interrupt-controller").cells("#interrupt-cells", 1).flag("interrupt-controller");
    fdt.strings("compatible", "riscv,cpu-intc").cells("phandle", PHANDLE_INTC).end();
    fdt.end();
    fdt.begin("cpu-map").begin("cluster0").begin("core0").cells("cpu", PHANDLE_CPU);
    fdt.end().end().end();
    fdt.end();
  }

  private static void syscon(Fdt fdt, String name, String compatible, int value) {
    fdt.begin(name).strings("compatible", compatible).cells("regmap", PHANDLE_TEST);
    fdt.cells("offset", 0).cells("value", value).end();
  }

  /**
   * Linux takes a key with an interrupt and no GPIO as one that is pressed and released at each
   * interrupt.
   */
  private static void powerButton(Fdt fdt) {
    fdt.begin("gpio-keys").strings("compatible", "gpio-keys");
    fdt.begin("power-button").strings("label", "Power").cells("linux,code", KEY_POWER);
    interrupt(fdt, PowerButton.IRQ).end();
    fdt.end();
  }

  private static void soc(Fdt fdt, boolean machineMode) {
    fdt.begin("soc").cells("#address-cells", 2).cells("#size-cells", 2);
    fdt.strings("compatible", "simple-bus").flag("ranges");
    device(
        fdt,
        "test",
        SysconPower.BASE,
        SysconPower.LENGTH,
        "sifive,test1",
        "sifive,test0",
        "syscon");
    fdt.cells("phandle", PHANDLE_TEST).end();
    device(fdt, "rtc", GoldfishRtc.BASE, GoldfishRtc.LENGTH, "google,goldfish-rtc");
    interrupt(fdt, GoldfishRtc.IRQ).end();
    if (machineMode) {
      device(fdt, "clint", Clint.BASE, Clint.LENGTH, "sifive,clint0", "riscv,clint0");
      fdt.cells(
          "interrupts-extended",
          PHANDLE_INTC,
          IRQ_MACHINE_SOFTWARE,
          PHANDLE_INTC,
          IRQ_MACHINE_TIMER);
      fdt.end();
    }
    plic(fdt, machineMode);
    device(fdt, "serial", Uart.BASE, Uart.LENGTH, "ns16550a");
    interrupt(fdt, Uart.IRQ).cells("clock-frequency", UART_CLOCK_HZ).end();
    for (int slot = 0; slot < DeviceId.VIRTIO_SLOTS; slot++) {
      device(fdt, "virtio_mmio", VirtioMmio.base(slot), VirtioMmio.STRIDE, "virtio,mmio");
      interrupt(fdt, VirtioMmio.irq(slot)).end();
    }
    fdt.end();
  }

  private static void plic(Fdt fdt, boolean machineMode) {
    device(fdt, "plic", Plic.BASE, Plic.LENGTH, "sifive,plic-1.0.0", "riscv,plic0");
    fdt.cells("phandle", PHANDLE_PLIC).cells("riscv,ndev", Plic.SOURCES);
    fdt.cells(
        "interrupts-extended",
        PHANDLE_INTC,
        machineMode ? IRQ_MACHINE_EXTERNAL : IRQ_NONE,
        PHANDLE_INTC,
        IRQ_SUPERVISOR_EXTERNAL);
    fdt.flag("interrupt-controller").cells("#interrupt-cells", 1).cells("#address-cells", 0).end();
  }

  private static void device(Fdt fdt, String name, long base, long length, String... compatible) {
    fdt.begin(name + "@" + Long.toHexString(base)).strings("compatible", compatible);
    fdt.longs("reg", base, length);
  }

  private static Fdt interrupt(Fdt fdt, int source) {
    return fdt.cells("interrupt-parent", PHANDLE_PLIC).cells("interrupts", source);
  }
}
