package io.lockstep.cli;

import io.lockstep.cli.image.ImageBuilder;
import io.lockstep.cli.image.ImageException;
import io.lockstep.cli.image.ImageManifest;
import io.lockstep.cli.image.ImageRequest;
import io.lockstep.cli.image.Progress;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code lockstep image}: guest images from Debian's packages. */
@Command(
    name = "image",
    description = "Makes guests from Debian's packages.",
    mixinStandardHelpOptions = true,
    subcommands = {ImageCommand.Build.class})
public final class ImageCommand implements Callable<Integer> {
  private static final Pattern SIZE = Pattern.compile("([0-9]{1,9})([KMGT]?)(?:i?B)?", Pattern.CASE_INSENSITIVE);
  private static final Pattern PACKAGE = Pattern.compile("[a-z0-9][a-z0-9.+-]+");
  private static final Pattern WORD = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_.-]*");

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    throw new ParameterException(spec.commandLine(), "Name a subcommand: build.");
  }

  /** A job that may fail with a sentence for the user. */
  private interface Job {
    void run() throws ImageException, IOException;
  }

  private static int perform(CommandSpec spec, Job job) {
    try {
      job.run();
      return CommandLine.ExitCode.OK;
    } catch (ImageException e) {
      return fail(spec, e.getMessage());
    } catch (IOException e) {
      return fail(spec, sentence(e));
    }
  }

  private static int fail(CommandSpec spec, String sentence) {
    spec.commandLine().getErr().println("lockstep: " + sentence);
    return CommandLine.ExitCode.SOFTWARE;
  }

  /** What a failed file operation means for the user. */
  static String sentence(IOException e) {
    String text = String.valueOf(e.getMessage());
    String file = e instanceof FileSystemException failed && failed.getFile() != null ? failed.getFile() : "";
    if (text.contains("No space left on device") || text.contains("Disk quota exceeded")) {
      return "The disk is full; free some space or choose another directory.";
    }
    if (e instanceof java.nio.file.AccessDeniedException || text.contains("Permission denied")) {
      return (file.isEmpty() ? "A file" : file) + " may not be written; choose a directory of your own.";
    }
    if (text.contains("Read-only file system")) {
      return (file.isEmpty() ? "The directory" : file) + " is on a read-only file system; choose another directory.";
    }
    return "A file operation failed (" + (file.isEmpty() ? text : file + ": " + e.getClass().getSimpleName()) + ").";
  }

  /** Reads sizes such as {@code 2G} or {@code 512M}: bytes, or binary multiples with a letter. */
  static final class SizeConverter implements CommandLine.ITypeConverter<Long> {
    @Override
    public Long convert(String text) {
      Matcher matcher = SIZE.matcher(text);
      if (!matcher.matches()) {
        throw new CommandLine.TypeConversionException("'" + text + "' is no size; write for example 512M or 2G");
      }
      String unit = matcher.group(2).toUpperCase(java.util.Locale.ROOT);
      int shift = unit.isEmpty() ? 0 : 10 * ("KMGT".indexOf(unit) + 1);
      return Math.multiplyExact(Long.parseLong(matcher.group(1)), 1L << shift);
    }
  }

  /** {@code lockstep image build}. */
  @Command(
      name = "build",
      description = {
        "Makes a Debian riscv64 guest: a stock kernel with BusyBox and the packages named in its initial RAM file"
            + " system, or with --full a complete Debian on a disk image.",
        "Packages come from the Debian mirror in the host's apt configuration."
      },
      mixinStandardHelpOptions = true)
  static final class Build implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Parameters(paramLabel = "DIR", description = "Directory for the image; an older image there is replaced.")
    private Path directory;

    @Option(
        names = "--include",
        paramLabel = "PKG",
        split = ",",
        description = "Packages to put into the guest, with all they depend on.")
    private List<String> include = new ArrayList<>();

    @Option(names = "--suite", defaultValue = "trixie", description = "Debian suite (default: ${DEFAULT-VALUE}).")
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
        description = "Kernel modules to put into the guest besides those for its devices.")
    private List<String> modules = new ArrayList<>();

    @Option(names = "--mirror", paramLabel = "URL", description = "Debian archive to use instead of the host's.")
    private String mirror;

    @Option(names = "--ssh-key", paramLabel = "FILE", description = "Public keys that may log in to the guest as root.")
    private Path sshKey;

    @Option(
        names = "--defer-configuration",
        description = "With --full: leave the configuration of the packages to the guest's first start.")
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
      return perform(
          spec,
          () -> {
            ImageManifest manifest =
                new ImageBuilder(ImageBuilder.userCache(), Progress.onStandardError()).build(request);
            spec.commandLine()
                .getOut()
                .printf(
                    "%s: Debian %s, Linux %s, %d packages. Start it with lockstep run --image %s%n",
                    directory, manifest.suite(), manifest.kernelVersion(), manifest.packages().size(), directory);
          });
    }

    private void check(List<String> names, Pattern pattern, String what) {
      for (String name : names) {
        if (!pattern.matcher(name).matches()) {
          throw new ParameterException(spec.commandLine(), "'" + name + "' is no " + what + ".");
        }
      }
    }
  }
}
