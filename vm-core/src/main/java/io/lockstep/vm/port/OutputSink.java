package io.lockstep.vm.port;

/**
 * Where a machine's outputs go. Called on the vCPU thread in the middle of a step; it must not call
 * back into the machine (it may read {@code Machine.steps()}), must not block for long and must not
 * throw.
 */
@FunctionalInterface
public interface OutputSink {
  /** Takes one output. */
  void emit(Output output);

  /** A sink that drops everything. */
  OutputSink NONE = output -> {};
}
