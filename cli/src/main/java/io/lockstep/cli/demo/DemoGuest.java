package io.lockstep.cli.demo;

import io.lockstep.cli.image.Disks;
import io.lockstep.cli.image.ImageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * The guest that the demo protects.
 *
 * @param title what it is called
 * @param options of {@code lockstep run}
 * @param service what its client speaks
 * @param port where the guest offers that
 * @param bootSeconds how long it may take until the client gets its first answer
 */
record DemoGuest(
    String title, List<String> options, SteadyClient.Service service, int port, int bootSeconds) {
  private static final long SMALL_DISK = 16L << 20;
  private static final long DEBIAN_DISK = 256L << 20;

  /** The built-in small guest. */
  static DemoGuest small() {
    return new DemoGuest(
        "the guest",
        List.of("--append", "beat_ms=0 rto_min_ms=20"),
        SteadyClient.Service.LEDGER,
        7000,
        60);
  }

  /** Debian with redis. */
  static DemoGuest debian(Path image) {
    return new DemoGuest(
        "Debian with redis",
        List.of("--image", image.toString(), "--append", "quiet", "--memory", "512M"),
        SteadyClient.Service.REDIS,
        6379,
        240);
  }

  /** Makes the guest's disk: an empty one, or with an empty file system for Debian. */
  void makeDisk(Path file) throws IOException, DemoException {
    if (service == SteadyClient.Service.LEDGER) {
      try (FileChannel disk =
          FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        disk.write(ByteBuffer.allocate(1), SMALL_DISK - 1);
      }
      return;
    }
    try {
      Disks.create(file, DEBIAN_DISK);
    } catch (ImageException e) {
      throw new DemoException(e.getMessage());
    }
  }
}
