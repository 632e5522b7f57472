package io.lockstep.cli;

import io.lockstep.cli.image.ImageManifest;
import io.lockstep.host.vm.BuiltInGuest;
import io.lockstep.host.vm.NetSpec;
import io.lockstep.host.vm.VmSpec;
import io.lockstep.host.vm.VmSpec.BootSpec;
import io.lockstep.host.vm.VmSpec.DiskSpec;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;
import picocli.CommandLine.TypeConversionException;

/** The options that describe a virtual machine; a mixin for all commands that start one. */
final class VmOptions {
  private static final long MEMORY_DEFAULT = 512L << 20;

  private static final Path NO_FIRMWARE = Path.of("none");

  /** Power-on time with the instruction clock, so that runs are the same: 2025-01-01. */
  private static final Instant FIXED_POWER_ON = Instant.ofEpochSecond(1_735_689_600);

  @Spec(Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = "--image",
      paramLabel = "DIR",
      description =
          "A guest image made by 'lockstep image build': its kernel, initrd, disk, kernel command"
              + " line and memory, unless other options say otherwise.")
  private Path image;

  @Option(
      names = "--kernel",
      paramLabel = "FILE",
      description =
          "Kernel: an ELF file or a Linux Image for riscv64. Without kernel, firmware and image the"
              + " built-in small guest starts.")
  private Path kernel;

  @Option(names = "--initrd", paramLabel = "FILE", description = "Initial RAM disk of the kernel.")
  private Path initrd;

  @Option(
      names = "--append",
      paramLabel = "TEXT",
      description = "Kernel command line; with --image it is added to the image's.")
  private String append;

  @Option(
      names = "--firmware",
      paramLabel = "FILE",
      description =
          "Firmware for M-mode, such as OpenSBI's fw_dynamic.bin, instead of the built-in SBI. With"
              + " 'none' the kernel itself starts in M-mode.")
  private Path firmware;

  @Option(
      names = {"--memory", "-m"},
      paramLabel = "SIZE",
      converter = MemorySize.class,
      description = "Memory, as 512M or 2G. Default: 512M, or what the image wants.")
  private Long memory;

  @Option(
      names = "--disk",
      paramLabel = "FILE[,ro][,serial=TEXT]",
      converter = DiskOption.class,
      description =
          "A raw disk image or block device: /dev/vda, the next /dev/vdb. May be repeated.")
  private final List<DiskSpec> disks = new ArrayList<>();

  @Option(
      names = "--net",
      paramLabel = "KIND[,NAME=VALUE...]",
      converter = NetOption.Converter.class,
      description = {
        "The network card's cable, one of",
        "none: no card (default);",
        "user[,forward=tcp|udp:[ADDRESS:]PORT:[GUEST]:PORT...][,outbound=none|loopback|any]: a"
            + " network of its own with a gateway to this host;",
        "switch=HOST:PORT|unix:PATH[,tls-cert=PEM,tls-key=PEM,tls-ca=PEM]: a 'lockstep switch';",
        "tap=NAME: a TAP device. All but none take mac=ADDRESS."
      })
  private NetOption net = NetOption.NONE;

  @Option(
      names = "--pcap",
      paramLabel = "FILE",
      description = "Capture the network card's packets to this file, for tshark or Wireshark.")
  private Path pcap;

  @Option(
      names = "--clock",
      paramLabel = "host|instructions",
      converter = ClockConverter.class,
      description =
          "The guest's time: the host's clock (default), or one second for every 200 million"
              + " instructions, with waiting skipped.")
  private ClockMode clock = ClockMode.HOST;

  @Option(
      names = "--rtc",
      paramLabel = "TIME",
      converter = TimeConverter.class,
      description =
          "Time of day at power-on, as 2025-01-01T00:00:00Z. Default: now; that very example with"
              + " --clock instructions.")
  private Instant rtc;

  @Option(names = "--no-entropy", description = "No device that gives the guest random numbers.")
  private boolean noEntropy;

  @Option(
      names = "--virtio-console",
      description = "A second console, /dev/hvc0; it then gets what is typed.")
  private boolean virtioConsole;

  /** The machine that the options describe. */
  VmSpec toSpec() {
    ImageManifest from =
        image == null ? null : ImageErrors.reported(() -> ImageManifest.read(image));
    BootSpec boot = boot(from);
    var allDisks = new ArrayList<DiskSpec>();
    if (from != null) {
      from.disk().ifPresent(disk -> allDisks.add(new DiskSpec(image.resolve(disk), false, "")));
    }
    allDisks.addAll(disks);
    Instant powerOn = rtc != null ? rtc : clock == ClockMode.HOST ? Instant.now() : FIXED_POWER_ON;
    return new VmSpec(
        memoryBytes(from, boot),
        clock,
        Math.multiplyExact(powerOn.getEpochSecond(), 1_000_000_000L) + powerOn.getNano(),
        boot,
        allDisks,
        network(),
        !noEntropy,
        virtioConsole);
  }

  private BootSpec boot(ImageManifest from) {
    Optional<Path> theKernel = Optional.ofNullable(kernel);
    Optional<Path> theInitrd = Optional.ofNullable(initrd);
    String line = append == null ? "" : append;
    if (from != null) {
      theKernel = theKernel.or(() -> Optional.of(image.resolve(ImageManifest.KERNEL)));
      theInitrd = theInitrd.or(() -> Optional.of(image.resolve(ImageManifest.INITRD)));
      line = (from.append() + " " + line).strip();
    }
    Optional<Path> theFirmware = Optional.ofNullable(firmware);
    if (theFirmware.isPresent() && theFirmware.get().equals(NO_FIRMWARE)) {
      // What starts in M-mode is the firmware, whatever else it may be.
      theFirmware = theKernel;
      theKernel = Optional.empty();
      if (theFirmware.isEmpty()) {
        throw new ParameterException(
            command.commandLine(), "--firmware none starts a kernel in M-mode: add --kernel FILE");
      }
    }
    var boot = new BootSpec(theKernel, theInitrd, theFirmware, line);
    if (boot.isSmallGuest() && initrd != null) {
      throw new ParameterException(
          command.commandLine(), "an initrd needs a kernel: add --kernel FILE");
    }
    return boot;
  }

  private long memoryBytes(ImageManifest from, BootSpec boot) {
    if (memory != null) {
      return memory;
    }
    if (from != null) {
      return Math.max((long) from.memoryMib() << 20, MachineConfig.MEMORY_MIN);
    }
    return boot.isSmallGuest() ? BuiltInGuest.MEMORY_BYTES : MEMORY_DEFAULT;
  }

  private Optional<NetSpec> network() {
    Optional<NetSpec> network = net.toSpec(Optional.ofNullable(pcap));
    if (pcap != null && network.isEmpty()) {
      throw new ParameterException(
          command.commandLine(), "--pcap needs a network card; add --net user, for example");
    }
    return network;
  }

  /** Reads the value of {@code --clock}. */
  static final class ClockConverter implements ITypeConverter<ClockMode> {
    @Override
    public ClockMode convert(String text) {
      for (ClockMode mode : ClockMode.values()) {
        if (mode.name().toLowerCase(Locale.ROOT).equals(text)) {
          return mode;
        }
      }
      throw new TypeConversionException("'" + text + "' is not one of host and instructions");
    }
  }

  /** Reads the value of {@code --rtc}. */
  static final class TimeConverter implements ITypeConverter<Instant> {
    private static final Instant LATEST = Instant.parse("2200-01-01T00:00:00Z");

    @Override
    public Instant convert(String text) {
      try {
        Instant time = Instant.parse(text);
        if (time.isBefore(Instant.EPOCH) || time.isAfter(LATEST)) {
          throw new TypeConversionException("'" + text + "' is not between 1970 and 2200");
        }
        return time;
      } catch (java.time.format.DateTimeParseException e) {
        throw new TypeConversionException("'" + text + "' is not a time like 2025-01-01T00:00:00Z");
      }
    }
  }
}
