package io.lockstep.cli;

import io.lockstep.host.pki.ClusterAuthority;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code lockstep pki issue}: a host's certificate. */
@Command(
    name = "issue",
    description = "Make the certificate and key of one host.",
    footer = {
      "",
      "Writes DIR/HOST.crt and DIR/HOST.key. Copy these two and DIR/ca.crt to that host, over",
      "a channel that you trust. Nothing is ever overwritten; to renew a certificate, move",
      "the old files away first.",
      "",
      "Examples:",
      "  lockstep pki issue pki --host host-a",
      "  lockstep pki issue pki --host host-b --address 192.0.2.7 --days 90"
    })
final class PkiIssueCommand implements Callable<Integer> {
  private static final int DAYS_MAX = 3650;

  @Spec private CommandSpec command;

  @Parameters(paramLabel = "DIR", description = "The directory that 'lockstep pki init' made.")
  private Path directory;

  @Option(
      names = "--host",
      required = true,
      paramLabel = "NAME",
      description = "The host's name; also the name of the files.")
  private String host;

  @Option(
      names = "--address",
      paramLabel = "ADDRESS",
      description = "Another name or IP address of the host, to be in the certificate. Repeatable.")
  private final List<String> addresses = new ArrayList<>();

  @Option(
      names = "--days",
      paramLabel = "N",
      defaultValue = "730",
      description = "How long the certificate is valid. Default: ${DEFAULT-VALUE}.")
  private int days;

  @Override
  public Integer call() {
    if (days < 1 || days > DAYS_MAX) {
      throw new ParameterException(
          command.commandLine(), "--days must be between 1 and " + DAYS_MAX);
    }
    try {
      ClusterAuthority authority = ClusterAuthority.open(directory);
      ClusterAuthority.HostFiles files = authority.issue(host, addresses, Duration.ofDays(days));
      PrintWriter out = command.commandLine().getOut();
      out.printf(
          "Made the certificate of host %s in cluster %s, valid until %s. On that host:%n",
          host, authority.cluster(), files.until().atZone(ZoneOffset.UTC).toLocalDate());
      out.printf(
          "  --tls-cert %s --tls-key %s --tls-ca %s%n",
          files.certificate(), files.key(), files.authority());
      out.flush();
      return ExitStatus.OK;
    } catch (IOException e) {
      throw new UserError(e.getMessage(), e);
    }
  }
}
