package io.lockstep.cli.image;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;

/** Starts a full system once, so that it configures its packages and powers off. */
final class SecondStage {
  private static final String MACHINE = "qemu-system-riscv64";
  private static final String COMPLETE = "lockstep: second stage complete";
  private static final String SETTING_UP = "Setting up ";

  private SecondStage() {}

  /** Whether this host has a machine to run it on. */
  static boolean possible() {
    return HostCommand.find(MACHINE).isPresent();
  }

  /** Runs the second stage of the image in {@code directory}. */
  static void run(Path directory, Progress progress) throws ImageException, IOException {
    var complete = new AtomicBoolean();
    var lastLine = new AtomicReference<>("it printed nothing");
    try (var step = progress.step("Configuring the packages in the guest")) {
      command(directory)
          .lines(
              line -> {
                if (line.contains(COMPLETE)) {
                  complete.set(true);
                } else if (line.startsWith(SETTING_UP)) {
                  step.doing(line.substring(SETTING_UP.length()).replaceFirst(" .*", ""));
                }
                if (!line.isBlank() && !complete.get()) {
                  lastLine.set(line.strip());
                }
              });
    }
    if (!complete.get()) {
      throw new ImageException(
          "The guest could not configure its packages ("
              + lastLine.get()
              + "); build with --defer-configuration and look at its first start.");
    }
  }

  private static HostCommand command(Path directory) {
    return new HostCommand(
        MACHINE,
        List.of(
            "-M",
            "virt",
            "-m",
            "1024",
            "-nographic",
            "-no-reboot",
            "-kernel",
            directory.resolve(ImageManifest.KERNEL).toString(),
            "-initrd",
            directory.resolve(ImageManifest.INITRD).toString(),
            "-append",
            "console=ttyS0 quiet root=/dev/vda lockstep.configure-only",
            "-drive",
            "if=none,id=root,format=raw,cache=unsafe,file="
                + directory.resolve(ImageManifest.DISK).toString().replace(",", ",,"),
            "-device",
            "virtio-blk-device,drive=root",
            "-device",
            "virtio-rng-device"));
  }
}
