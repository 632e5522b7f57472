package io.lockstep.cli;

import io.lockstep.host.net.TlsFiles;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** How this side and others know each other; a mixin for all commands that accept connections. */
final class TlsOptions {
  @Option(
      names = "--tls-cert",
      paramLabel = "PEM",
      description = "This side's certificate; needed beyond loopback.")
  private Path certificate;

  @Option(names = "--tls-key", paramLabel = "PEM", description = "The certificate's private key.")
  private Path key;

  @Option(
      names = "--tls-ca",
      paramLabel = "PEM",
      description = "The authority that signed both sides' certificates.")
  private Path authority;

  /**
   * All three files, or none.
   *
   * @param command whose user is told if some are missing; as a mixin of a mixin this doesn't know
   */
  Optional<TlsFiles> files(CommandSpec command) {
    if (certificate == null && key == null && authority == null) {
      return Optional.empty();
    }
    if (certificate == null || key == null || authority == null) {
      throw new ParameterException(
          command.commandLine(), "--tls-cert, --tls-key and --tls-ca are needed together");
    }
    return Optional.of(new TlsFiles(certificate, key, authority));
  }
}
