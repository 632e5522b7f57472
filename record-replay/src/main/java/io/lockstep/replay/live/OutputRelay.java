package io.lockstep.replay.live;

import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;

/**
 * The sink that a machine is made with; where it leads can be changed on the vCPU thread between
 * two runs. So one machine is replayed first (outputs go nowhere, or to a console) and goes live
 * later (outputs go to the gate).
 */
public final class OutputRelay implements OutputSink {
  private OutputSink target = OutputSink.NONE;

  /** Leads all outputs from now on to {@code sink}. */
  public void connect(OutputSink sink) {
    target = sink;
  }

  @Override
  public void emit(Output output) {
    target.emit(output);
  }
}
