package io.lockstep.cli;

import io.lockstep.host.vm.LiveVm;
import io.lockstep.host.vm.SetupException;
import io.lockstep.host.vm.VmSpec;
import io.lockstep.replay.live.VcpuEnd;
import io.lockstep.vm.machine.VirtualMachine.Power;
import java.io.PrintWriter;
import java.net.InetSocketAddress;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code lockstep run}: one virtual machine, unprotected, with its console on the terminal. */
@Command(
    name = "run",
    description = "Run a virtual machine, with its console on this terminal.",
    footer = {
      "",
      "On a terminal every key goes to the guest, also Ctrl-C. Ctrl-A x stops the",
      "machine, Ctrl-A h shows the other keys. If the input is a file or a pipe, it",
      "is typed into the guest, and its end does not stop the machine.",
      "",
      "Exit status: 0 when the guest powers off or the user stops it with Ctrl-A x,",
      "1 when it reports a failure or cannot be started, 2 wrong usage; after a",
      "signal 128 + its number.",
      "",
      "Examples:",
      "  lockstep run",
      "      the built-in small guest",
      "  lockstep run --image mini",
      "      Debian, from an image made by 'lockstep image build mini'",
      "  lockstep run --image redis --disk data.img \\",
      "      --net user,forward=tcp:6379::6379",
      "      redis in the guest, reached at port 6379 of this host",
      "  lockstep run --kernel Image --initrd initrd --append 'quiet' --memory 1G"
    })
final class RunCommand implements Callable<Integer> {
  @Spec private CommandSpec command;

  @Mixin private VmOptions options;

  @Mixin private EngineOption engine;

  @Mixin private SessionOptions kept;

  @Option(
      names = "--no-reboot",
      description = "When the guest reboots, end instead of starting it again.")
  private boolean noReboot;

  @Option(
      names = "--protect-listen",
      paramLabel = "HOST:PORT",
      converter = PairOptions.AddressConverter.class,
      description = "Run as the primary of a pair, and accept a secondary here; needs --storage.")
  private InetSocketAddress protectListen;

  @Option(
      names = "--compare-tiers",
      description =
          "Run the guest twice side by side, interpreted and compiled, with the instruction clock"
              + " and without input, and stop at the first step at which they differ. For finding"
              + " faults in the engine; see also 'lockstep log bisect --tiers'.")
  private boolean compareTiers;

  @Mixin private PairOptions pair;

  @Override
  public Integer call() {
    engine.apply();
    VmSpec spec = options.toSpec();
    if (compareTiers) {
      return new TierRun(spec, command.commandLine().getErr()).run();
    }
    if (protectListen != null) {
      return runProtected(spec);
    }
    if (pair.hasStorage()) {
      throw new ParameterException(
          command.commandLine(),
          "--storage is for protected machines; add --protect-listen HOST:PORT");
    }
    PrintWriter err = command.commandLine().getErr();
    try (VmSession session = VmSession.open(spec, kept.consoleLog(), err);
        VmControl control = VmControl.start(session, pair.name())) {
      return runUntilOff(session, control);
    } catch (SetupException e) {
      throw new UserError(e.getMessage(), e);
    }
  }

  private int runProtected(VmSpec spec) {
    try (ReplicaProcess process = new ReplicaProcess(pair, command.commandLine().getErr())) {
      return process.runPrimary(spec, protectListen);
    } catch (SetupException e) {
      throw new UserError(e.getMessage(), e);
    }
  }

  private int runUntilOff(VmSession session, VmControl control) throws SetupException {
    while (true) {
      LiveVm vm = session.parts().powerOn();
      control.runs(vm, false);
      VcpuEnd end = session.run(vm);
      control.ended();
      kept.tellStats(session, vm);
      switch (end) {
        case VcpuEnd.Stopped _ -> {
          return ExitStatus.OK;
        }
        case VcpuEnd.Halted halted -> {
          if (halted.power() == Power.FAILED) {
            session.tell("the guest has switched itself off and reported a failure.");
            return ExitStatus.FAILURE;
          }
          if (halted.power() != Power.REBOOT || noReboot) {
            return ExitStatus.OK;
          }
        }
      }
    }
  }
}
