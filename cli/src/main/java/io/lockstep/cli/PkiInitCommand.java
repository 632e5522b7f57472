package io.lockstep.cli;

import io.lockstep.host.pki.ClusterAuthority;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code lockstep pki init}: a cluster's authority. */
@Command(
    name = "init",
    description = "Make the authority of a new cluster.",
    footer = {
      "",
      "Writes DIR/ca.crt, which every host gets, and DIR/ca.key, which never leaves this",
      "directory: who has it can let any host into the cluster. Valid for ten years.",
      "Nothing is ever overwritten.",
      "",
      "Example:",
      "  lockstep pki init pki --cluster prod"
    })
final class PkiInitCommand implements Callable<Integer> {
  @Spec private CommandSpec command;

  @Parameters(paramLabel = "DIR", description = "The authority's directory; made if need be.")
  private Path directory;

  @Option(
      names = "--cluster",
      paramLabel = "NAME",
      defaultValue = "lockstep",
      description =
          "The cluster's name, which all its certificates say. Default: ${DEFAULT-VALUE}.")
  private String cluster;

  @Override
  public Integer call() {
    try {
      ClusterAuthority authority = ClusterAuthority.create(directory, cluster);
      PrintWriter out = command.commandLine().getOut();
      out.printf("Made the authority of cluster %s: %s.%n", cluster, authority.certificateFile());
      out.printf("Now, for each host: lockstep pki issue %s --host NAME%n", directory);
      out.flush();
      return ExitStatus.OK;
    } catch (IOException e) {
      throw new UserError(e.getMessage(), e);
    }
  }
}
