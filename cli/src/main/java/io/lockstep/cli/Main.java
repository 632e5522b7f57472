package io.lockstep.cli;

import io.lockstep.vm.Version;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Entry point of the {@code lockstep} command. */
@Command(
    name = "lockstep",
    description = "A fault-tolerant RISC-V virtual machine.",
    version = "lockstep " + Version.LOCKSTEP,
    mixinStandardHelpOptions = true)
public final class Main {
  private Main() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new Main()).execute(args));
  }
}
