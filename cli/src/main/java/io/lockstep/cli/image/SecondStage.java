package io.lockstep.cli.image;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Starts a full system once, so that it configures its packages and powers off: in QEMU where that
 * is installed, which gets through this one-time code quicker, else in our own machine.
 */
final class SecondStage {
  private static final String QEMU = "qemu-system-riscv64";
  private static final String MAIN = "io.lockstep.cli.Main";
  private static final String MEMORY = "1024M";
  private static final String APPEND = "console=ttyS0 quiet root=/dev/vda lockstep.configure-only";
  private static final String COMPLETE = "lockstep: second stage complete";
  private static final String SETTING_UP = "Setting up ";

  private SecondStage() {}

  /**
   * Runs the second stage of the image in {@code directory}.
   *
   * @param log file for all that the guest prints
   */
  static void run(Path directory, Path log, Progress progress) throws ImageException, IOException {
    var complete = new AtomicBoolean();
    var lastLine = new AtomicReference<>("it printed nothing");
    HostCommand machine = HostCommand.find(QEMU).isPresent() ? qemu(directory) : own(directory);
    HostCommand.Result result;
    try (var step = progress.step("Configuring the packages in the guest (some minutes)");
        var console = new PrintWriter(Files.newBufferedWriter(log))) {
      result =
          machine.lines(
              line -> {
                console.println(line);
                console.flush();
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
    if (!complete.get() || !result.succeeded()) {
      String reason =
          complete.get() ? "the machine ended with status " + result.status() : lastLine.get();
      throw new ImageException(
          "The guest could not configure its packages ("
              + reason
              + "); see "
              + log
              + " for all it said.");
    }
  }

  private static HostCommand qemu(Path directory) {
    String disk = directory.resolve(ImageManifest.DISK).toString().replace(",", ",,");
    return new HostCommand(
        QEMU,
        List.of(
            "-M",
            "virt",
            "-m",
            MEMORY,
            "-nographic",
            "-no-reboot",
            "-kernel",
            directory.resolve(ImageManifest.KERNEL).toString(),
            "-initrd",
            directory.resolve(ImageManifest.INITRD).toString(),
            "-append",
            APPEND,
            "-drive",
            "if=none,id=root,format=raw,cache=unsafe,file=" + disk,
            "-device",
            "virtio-blk-device,drive=root",
            "-device",
            "virtio-rng-device"));
  }

  /** This program again, as another process: the machine is not part of what builds images. */
  private static HostCommand own(Path directory) {
    String classPath = System.getProperty("java.class.path");
    var arguments = new ArrayList<String>();
    if (classPath.endsWith(".jar") && classPath.indexOf(':') < 0) {
      arguments.addAll(List.of("-jar", classPath)); // With what its manifest asks of the JVM.
    } else {
      arguments.addAll(List.of("-cp", classPath, MAIN));
    }
    arguments.addAll(
        List.of(
            "run",
            "--kernel",
            directory.resolve(ImageManifest.KERNEL).toString(),
            "--initrd",
            directory.resolve(ImageManifest.INITRD).toString(),
            "--append",
            APPEND,
            "--memory",
            MEMORY,
            "--disk",
            directory.resolve(ImageManifest.DISK).toString()));
    return new HostCommand(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(), arguments);
  }
}
