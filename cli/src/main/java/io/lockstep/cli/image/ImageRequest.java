package io.lockstep.cli.image;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What image to build.
 *
 * @param directory where it will be; replaced if it is an image already
 * @param suite Debian suite, for example {@code trixie}
 * @param include packages wanted besides the basic ones
 * @param modules kernel modules wanted besides those for the machine's devices
 * @param mirror base address of a Debian archive; empty for those of the host's apt
 * @param sshKey file with public keys that may log in as root
 * @param full a complete Debian on a disk instead of an appliance in memory
 * @param diskSize size of that disk in bytes
 * @param configureNow whether to run that Debian's second stage during the build
 */
public record ImageRequest(
    Path directory,
    String suite,
    List<String> include,
    List<String> modules,
    Optional<String> mirror,
    Optional<Path> sshKey,
    boolean full,
    long diskSize,
    boolean configureNow) {
  public ImageRequest {
    include = List.copyOf(include);
    modules = List.copyOf(modules);
  }
}
