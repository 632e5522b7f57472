package io.lockstep.host.vm;

import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A virtual machine as its user describes it.
 *
 * @param memoryBytes RAM
 * @param clock how guest time passes
 * @param rtcBaseNanos wall clock at power-on, ns since 1970
 * @param boot what it starts from
 * @param disks in the order in which the guest finds them
 * @param net its network card, if it has one
 * @param entropy whether it has an entropy device
 * @param virtioConsole whether it has a virtio console beside the UART
 */
public record VmSpec(
    long memoryBytes,
    ClockMode clock,
    long rtcBaseNanos,
    BootSpec boot,
    List<DiskSpec> disks,
    Optional<NetSpec> net,
    boolean entropy,
    boolean virtioConsole) {

  /** Copies. */
  public VmSpec {
    disks = List.copyOf(disks);
  }

  /**
   * What a machine starts from.
   *
   * @param kernel an ELF file or a Linux Image; none for the built-in small guest
   * @param initrd an initial RAM disk
   * @param firmware firmware for M-mode instead of the built-in
   * @param append the kernel's command line
   */
  public record BootSpec(
      Optional<Path> kernel, Optional<Path> initrd, Optional<Path> firmware, String append) {
    /** Whether it is the built-in small guest that starts. */
    public boolean isSmallGuest() {
      return kernel.isEmpty() && firmware.isEmpty();
    }
  }

  /**
   * A disk.
   *
   * @param image a raw disk image, or a block device of the host
   * @param readOnly whether the guest must not write
   * @param serial up to 20 printable ASCII characters, which the guest can read
   */
  public record DiskSpec(Path image, boolean readOnly, String serial) {}

  /** The devices of a machine whose disks have these sizes. */
  MachineConfig machineConfig(List<Long> diskSectors) {
    return new MachineConfig(
        memoryBytes,
        clock,
        boot.firmware().isPresent()
            ? MachineConfig.Firmware.GUEST
            : MachineConfig.Firmware.BUILT_IN,
        rtcBaseNanos,
        DeviceLayout.slots(this, diskSectors));
  }
}
