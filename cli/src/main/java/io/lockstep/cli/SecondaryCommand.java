package io.lockstep.cli;

import io.lockstep.host.vm.NetSpec;
import io.lockstep.host.vm.SetupException;
import io.lockstep.host.vm.VmSpec.DiskSpec;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code lockstep secondary}: the other half of a protected machine. */
@Command(
    name = "secondary",
    description = "Protect a running machine: run the same guest here, ready to take over.",
    footer = {
      "",
      "Memory and devices are those of the primary's machine. When the primary dies, the",
      "guest carries on here, and its console with it; this process then is the primary,",
      "and accepts a new secondary at --listen.",
      "",
      "Exit status: 0 when the guest powers off or is stopped, 1 when this replica must not",
      "or cannot go on, 2 wrong usage.",
      "",
      "Examples:",
      "  lockstep run --protect-listen 127.0.0.1:7100 --storage shared/vm1 \\",
      "      --disk shared/disk.img",
      "  lockstep secondary --join 127.0.0.1:7100 --storage shared/vm1 \\",
      "      --disk shared/disk.img"
    })
final class SecondaryCommand implements Callable<Integer> {
  @Spec private CommandSpec command;

  @Option(
      names = "--join",
      required = true,
      paramLabel = "HOST:PORT",
      converter = PairOptions.AddressConverter.class,
      description = "The primary's --protect-listen address.")
  private InetSocketAddress join;

  @Option(
      names = "--listen",
      paramLabel = "HOST:PORT",
      defaultValue = "127.0.0.1:0",
      converter = PairOptions.AddressConverter.class,
      description =
          "Where to accept a new secondary after taking over; port 0 for any. Default:"
              + " ${DEFAULT-VALUE}.")
  private InetSocketAddress listen;

  @Option(
      names = "--disk",
      paramLabel = "FILE[,ro][,serial=TEXT]",
      converter = DiskOption.class,
      description = "The same disks as the primary's, in the same order.")
  private final List<DiskSpec> disks = new ArrayList<>();

  @Option(
      names = "--net",
      paramLabel = "switch=ADDR[,...]",
      converter = NetOption.Converter.class,
      description = "The switch that the guest's network card is connected to from here.")
  private NetOption net = NetOption.NONE;

  @Mixin private PairOptions pair;

  @Mixin private EngineOption engine;

  @Override
  public Integer call() {
    engine.apply();
    Optional<NetSpec> card = net.toSpec(Optional.empty());
    try (ReplicaProcess process = new ReplicaProcess(pair, command.commandLine().getErr())) {
      return process.runSecondary(join, listen, disks, card);
    } catch (SetupException e) {
      throw new UserError(e.getMessage(), e);
    }
  }
}
