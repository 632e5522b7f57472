package io.lockstep.replay.live;

/**
 * What a vCPU loop has done so far. Published a few hundred times a second while the machine is
 * busy, and whenever it goes idle.
 *
 * @param point the execution point
 * @param ticks the guest's clock
 * @param runTicks host ticks spent running the machine
 * @param idleTicks host ticks that the guest idled
 * @param throttledTicks host ticks slept for {@link VcpuLoop#throttle}
 * @param inputs inputs applied, without clock readings
 * @param readings clock readings applied
 * @param outputs outputs emitted
 * @param digests digests computed
 * @param digestTicks host ticks spent on digests
 */
public record VcpuStats(
    long point,
    long ticks,
    long runTicks,
    long idleTicks,
    long throttledTicks,
    long inputs,
    long readings,
    long outputs,
    long digests,
    long digestTicks) {}
