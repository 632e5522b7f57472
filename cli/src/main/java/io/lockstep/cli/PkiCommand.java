package io.lockstep.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code lockstep pki}: certificates for a cluster of one's own. */
@Command(
    name = "pki",
    description = "Make the certificates with which the hosts of a cluster trust each other.",
    subcommands = {PkiInitCommand.class, PkiIssueCommand.class},
    synopsisSubcommandLabel = "COMMAND",
    footer = {
      "",
      "Replicas and switch ports beyond this host talk TLS 1.3 with certificates on both",
      "sides. The authority's directory stays on one host; each host gets three files: its",
      "own HOST.crt and HOST.key, and ca.crt.",
      "",
      "Examples:",
      "  lockstep pki init pki --cluster prod",
      "  lockstep pki issue pki --host host-a",
      "  lockstep pki issue pki --host host-b"
    })
final class PkiCommand implements Callable<Integer> {
  @Spec private CommandSpec command;

  @Override
  public Integer call() {
    throw new ParameterException(command.commandLine(), "say which: init or issue");
  }
}
