package io.lockstep.cli;

import io.lockstep.ft.protocol.PairConfig;
import io.lockstep.ft.protocol.ReplicaId;
import io.lockstep.ft.protocol.Timing;
import io.lockstep.host.net.TlsFiles;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.UUID;
import javax.net.ssl.SSLContext;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;
import picocli.CommandLine.TypeConversionException;

/** The options that both replicas of a protected machine have. */
final class PairOptions {
  private static final int PORT_MAX = 65_535;

  @Spec(Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = "--storage",
      paramLabel = "DIR",
      description =
          "Directory that both hosts see (local or NFS), for this machine alone: who owns it, and"
              + " what the owners have written to its disks.")
  private Path storage;

  @Option(
      names = "--name",
      paramLabel = "NAME",
      defaultValue = "vm",
      description = "The machine's name; the same on both sides. Default: ${DEFAULT-VALUE}.")
  private String name;

  @Option(
      names = "--log-dir",
      paramLabel = "DIR",
      description =
          "Where this host keeps the log while it is the secondary. Default: a temporary directory,"
              + " removed at the end.")
  private Path logDirectory;

  @Option(
      names = "--suspect-ms",
      paramLabel = "MS",
      defaultValue = "400",
      description = "Silence after which the other side is suspected. Default: ${DEFAULT-VALUE}.")
  private long suspectMs;

  @Mixin private TlsOptions tls;

  boolean hasStorage() {
    return storage != null;
  }

  Path storage() {
    if (storage == null) {
      throw new ParameterException(
          command.commandLine(),
          "a protected machine needs --storage DIR, on storage that both hosts see");
    }
    return storage;
  }

  String name() {
    return name;
  }

  Optional<Path> logDirectory() {
    return Optional.ofNullable(logDirectory);
  }

  /**
   * The constants of this replica.
   *
   * @param definition the machine's, empty on a secondary
   * @param listen where it accepts secondaries
   */
  PairConfig pairConfig(ReplicaId self, String definition, InetSocketAddress listen) {
    if (suspectMs < 20 || suspectMs > 600_000) {
      throw new ParameterException(
          command.commandLine(), "--suspect-ms must be between 20 and 600000");
    }
    String address = listen.getPort() == 0 ? "" : listen.getHostString() + ":" + listen.getPort();
    return new PairConfig(
        name, definition, self, address, Timing.DEFAULT.withSuspect(suspectMs * 1_000_000L));
  }

  static ReplicaId newReplica() {
    return new ReplicaId(UUID.randomUUID());
  }

  Optional<SSLContext> tls() {
    Optional<TlsFiles> files = tls.files(command);
    try {
      return files.isPresent() ? Optional.of(files.get().load()) : Optional.empty();
    } catch (IOException e) {
      throw new UserError(e.getMessage(), e);
    }
  }

  /** Reads {@code HOST:PORT}; port 0 means any. */
  static final class AddressConverter implements ITypeConverter<InetSocketAddress> {
    @Override
    public InetSocketAddress convert(String text) {
      int colon = text.lastIndexOf(':');
      if (colon <= 0) {
        throw new TypeConversionException("'" + text + "' is not of the form HOST:PORT");
      }
      try {
        int port = Integer.parseInt(text.substring(colon + 1));
        if (port < 0 || port > PORT_MAX) {
          throw new TypeConversionException(
              "'" + text + "' has a port that is not within 0 to 65535");
        }
        return new InetSocketAddress(InetAddress.getByName(text.substring(0, colon)), port);
      } catch (NumberFormatException e) {
        throw new TypeConversionException("'" + text + "' has no port number after the colon");
      } catch (UnknownHostException e) {
        throw new TypeConversionException(
            "the host in '" + text + "' is not known; check its name");
      }
    }
  }
}
