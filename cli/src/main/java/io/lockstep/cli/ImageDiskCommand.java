package io.lockstep.cli;

import io.lockstep.cli.image.Disks;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code lockstep image disk}: an empty disk that a guest finds a file system on. */
@Command(
    name = "disk",
    description =
        "Make a disk image with an empty ext4 file system; an appliance mounts it on /data.",
    footer = {"", "Example:", "  lockstep image disk data.img --size 1G"})
final class ImageDiskCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "FILE", description = "The image to make; it must not exist.")
  private Path file;

  @Option(
      names = "--size",
      defaultValue = "256M",
      converter = SizeConverter.class,
      description = "Size, for example 64M or 2G (default: ${DEFAULT-VALUE}).")
  private long size;

  @Override
  public Integer call() {
    ImageErrors.reported(
        () -> {
          Disks.create(file, size);
          return null;
        });
    spec.commandLine().getOut().printf("%s: %d MiB, ext4%n", file, size >> 20);
    return ExitStatus.OK;
  }
}
