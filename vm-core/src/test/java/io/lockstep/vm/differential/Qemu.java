package io.lockstep.vm.differential;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Runs an image on QEMU. Its RAM is a file, written before and read after. */
final class Qemu {
  private static final String QEMU = "qemu-system-riscv64";
  private static final int RUN_SECONDS_MAX = 300;

  /** Only what both have; in particular no hypervisor extension. */
  private static final String CPU = "rv64,h=false,v=false,sstc=true,marchid=0,mimpid=0,mvendorid=0";

  private Qemu() {}

  static void assumeInstalled() {
    boolean found =
        Stream.of(System.getenv("PATH").split(":", -1))
            .anyMatch(directory -> Files.isExecutable(Path.of(directory, QEMU)));
    assumeTrue(found, "needs " + QEMU + ": install the Debian package qemu-system-misc");
  }

  /** The first bytes of RAM after the run, as many as the image has. */
  static byte[] run(byte[] image, Path directory) throws IOException, InterruptedException {
    Path ram = directory.resolve("ram");
    Files.write(ram, image, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING);
    try (var file = java.nio.channels.FileChannel.open(ram, StandardOpenOption.WRITE)) {
      file.write(java.nio.ByteBuffer.allocate(1), Layout.MEMORY - 1L);
    }
    String memory =
        "memory-backend-file,id=ram,size=" + Layout.MEMORY + ",share=on,mem-path=" + ram;
    // A second hart, which sleeps, makes QEMU treat atomics as atomic.
    List<String> command =
        List.of(
            QEMU,
            "-M",
            "virt,memory-backend=ram",
            "-object",
            memory,
            "-m",
            (Layout.MEMORY >> 20) + "M",
            "-smp",
            "2",
            "-accel",
            "tcg,thread=multi",
            "-bios",
            "none",
            "-cpu",
            CPU,
            "-display",
            "none",
            "-serial",
            "none",
            "-monitor",
            "none",
            "-nodefaults");
    Path log = directory.resolve("qemu.log");
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    try {
      if (!process.waitFor(RUN_SECONDS_MAX, TimeUnit.SECONDS)) {
        throw new IllegalStateException("QEMU does not come to the end of the image");
      }
    } finally {
      process.destroyForcibly().onExit().join();
    }
    if (process.exitValue() != 0) {
      throw new IllegalStateException("QEMU failed: " + Files.readString(log));
    }
    byte[] after = new byte[image.length];
    try (var in = Files.newInputStream(ram)) {
      in.readNBytes(after, 0, after.length);
    }
    return after;
  }
}
