package io.lockstep.cli;

import io.lockstep.replay.MachineFactory;
import io.lockstep.replay.divergence.BisectResult;
import io.lockstep.replay.divergence.Bisector;
import io.lockstep.vm.engine.EngineOptions;
import io.lockstep.vm.machine.Machine;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code lockstep log bisect}. */
@Command(
    name = "bisect",
    description = "Find the first instruction at which replays of a recording go different ways.",
    footer = {
      "",
      "Exit status: 0 when there is no divergence, 1 when one was found.",
      "",
      "Example:",
      "  lockstep log bisect first-run"
    })
final class LogBisectCommand implements Callable<Integer> {
  @Spec private CommandSpec command;
  @Mixin private RecordingArgument argument;

  @Option(
      names = "--tiers",
      description =
          "Compare a replay in the interpreter with one in compiled regions, instead of two alike.")
  private boolean tiers;

  @Override
  public Integer call() {
    PrintWriter out = command.commandLine().getOut();
    try {
      MachineFactory first = tiers ? make(EngineOptions.INTERPRETER) : Machine::new;
      MachineFactory second = tiers ? make(EngineOptions.standard()) : Machine::new;
      BisectResult result = new Bisector(argument.open(), first, second).run();
      out.println(result.text());
      out.flush();
      return result instanceof BisectResult.NoDivergence ? ExitStatus.OK : ExitStatus.FAILURE;
    } catch (IOException e) {
      throw new UserError("The recording cannot be replayed: " + e.getMessage() + ".", e);
    } catch (OutOfMemoryError e) {
      throw new UserError(
          "This host has not enough memory: bisecting takes that of the guest up to four times.",
          e);
    }
  }

  private static MachineFactory make(EngineOptions options) {
    return (config, sink) -> new Machine(config, sink, options);
  }
}
