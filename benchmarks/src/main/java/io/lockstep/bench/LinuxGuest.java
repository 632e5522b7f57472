package io.lockstep.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What our machine and QEMU are given alike.
 *
 * @param kernel file of the kernel
 * @param initrd file of its initial RAM disk
 * @param memoryMib memory in MiB
 * @param commandLine the kernel's
 */
record LinuxGuest(Path kernel, Path initrd, int memoryMib, String commandLine) {
  /** The guest of an image directory. */
  static LinuxGuest of(Path image, int memoryMib, String commandLine) {
    return new LinuxGuest(image.resolve("kernel"), image.resolve("initrd"), memoryMib, commandLine);
  }

  private List<String> files() {
    List<String> out = new ArrayList<>(List.of("--kernel", kernel.toString()));
    out.addAll(List.of("--initrd", initrd.toString(), "--append", commandLine));
    return out;
  }

  /** This guest in our machine, with {@code more} options of {@code lockstep run}. */
  Contender inLockstep(Path launcher, String engine, String... more) {
    List<String> out = files();
    out.addAll(List.of(more));
    return Contender.lockstep(launcher, engine, memoryMib, out.toArray(String[]::new));
  }

  /** This guest in our machine, as arguments of {@code lockstep run} or {@code record}. */
  List<String> arguments() {
    List<String> out = files();
    out.addAll(List.of("--memory", memoryMib + "M"));
    return out;
  }

  /** This guest in QEMU, with {@code more} of QEMU's options. */
  Contender inQemu(String name, String... more) {
    List<String> out = new ArrayList<>(List.of("-kernel", kernel.toString()));
    out.addAll(List.of("-initrd", initrd.toString(), "-append", commandLine));
    out.addAll(List.of("-device", "virtio-rng-device"));
    out.addAll(List.of(more));
    return Contender.qemu(name, memoryMib, out.toArray(String[]::new));
  }
}
