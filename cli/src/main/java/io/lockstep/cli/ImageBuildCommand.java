package io.lockstep.cli;

import io.lockstep.cli.image.ImageBuilder;
import io.lockstep.cli.image.ImageManifest;
import io.lockstep.cli.image.ImageRequest;
import io.lockstep.cli.image.Progress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code lockstep image build}: a guest from Debian's packages. */
@Command(
    name = "build",
    description = {
      "Make a Debian riscv64 guest: a stock kernel, and BusyBox with the packages you name in its"
          + " initial RAM file system; or with --full a complete Debian on a disk image.",
      "Packages come from the Debian mirror in the host's apt configuration."
    },
    footer = {
      "",
      "Examples:",
      "  lockstep image build mini",
      "  lockstep image build redis --include redis-server,redis-tools",
      "  lockstep image build debian --full --size 4G"
    })
final class ImageBuildCommand implements Callable<Integer> {
  /** Debian Policy 5.6.7. It also keeps options from being slipped to apt as package names. */
  private static final Pattern PACKAGE = Pattern.compile("[a-z0-9][a-z0-9.+-]+");

  private static final Pattern WORD = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_.-]*");

  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "DIR",
      description = "Directory for the image; an older image there is replaced.")
  private Path directory;

  @Option(
      names = "--include",
      paramLabel = "PKG",
      split = ",",
      description = "Packages to put into the guest, with all they depend on.")
  private List<String> include = new ArrayList<>();

  @Option(
      names = "--suite",
      defaultValue = "trixie",
      description = "Debian suite (default: ${DEFAULT-VALUE}).")
  private String suite;

  @Option(names = "--full", description = "A complete Debian with systemd on a disk image.")
  private boolean full;

  @Option(
      names = "--size",
      defaultValue = "2G",
      converter = SizeConverter.class,
      description = "Size of the disk image of --full (default: ${DEFAULT-VALUE}).")
  private long size;

  @Option(
      names = "--module",
      paramLabel = "NAME",
      split = ",",
      description = "Kernel modules to put into an appliance besides those for its devices.")
  private List<String> modules = new ArrayList<>();

  @Option(
      names = "--mirror",
      paramLabel = "URL",
      description = "Debian archive to use instead of the host's.")
  private String mirror;

  @Option(
      names = "--ssh-key",
      paramLabel = "FILE",
      description = "Public keys that may log in to the guest as root.")
  private Path sshKey;

  @Option(
      names = "--defer-configuration",
      description =
          "With --full: leave the configuration of the packages to the guest's first start.")
  private boolean deferConfiguration;

  @Override
  public Integer call() {
    check(include, PACKAGE, "package name");
    check(modules, WORD, "module name");
    check(List.of(suite), WORD, "suite");
    var request =
        new ImageRequest(
            directory,
            suite,
            include,
            modules,
            Optional.ofNullable(mirror),
            Optional.ofNullable(sshKey),
            full,
            size,
            !deferConfiguration);
    var builder = new ImageBuilder(ImageBuilder.userCache(), Progress.onStandardError());
    ImageManifest manifest = ImageErrors.reported(() -> builder.build(request));
    spec.commandLine()
        .getOut()
        .printf(
            "%s: Debian %s, Linux %s, %d packages, comfortable with %d MiB; start it with"
                + " 'lockstep run --image %s'%n",
            directory,
            manifest.suite(),
            manifest.kernelVersion(),
            manifest.packages().size(),
            manifest.memoryMib(),
            directory);
    return ExitStatus.OK;
  }

  private void check(List<String> names, Pattern pattern, String what) {
    for (String name : names) {
      if (!pattern.matcher(name).matches()) {
        throw new ParameterException(spec.commandLine(), "'" + name + "' is no " + what + ".");
      }
    }
  }
}
