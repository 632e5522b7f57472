package io.lockstep.vm.engine;

/**
 * What the top tier has done so far.
 *
 * @param machineCode whether regions are code of the host's processor, and not bytecode
 * @param units regions compiled
 * @param instructions guest instructions in them
 * @param unitsNow regions held at present
 * @param evicted regions dropped because there were too many, or their code was gone
 * @param stepsInRegions steps taken in compiled code; all others were interpreted
 */
public record EngineStats(
    boolean machineCode,
    long units,
    long instructions,
    int unitsNow,
    long evicted,
    long stepsInRegions) {
  /** Before anything was compiled. */
  static final EngineStats NONE = new EngineStats(false, 0, 0, 0, 0, 0);
}
