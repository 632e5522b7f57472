package io.lockstep.vm.engine;

/**
 * What the top tier has done so far.
 *
 * @param units regions compiled
 * @param instructions guest instructions in them
 * @param unitsNow regions held at present
 * @param evicted regions dropped because there were too many, or their code was gone
 * @param stepsInRegions steps taken in compiled code; all others were interpreted
 */
public record EngineStats(
    long units, long instructions, int unitsNow, long evicted, long stepsInRegions) {}
