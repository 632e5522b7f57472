package io.lockstep.ft.protocol;

/**
 * What does not change in a replica's life.
 *
 * @param vm the virtual machine's name
 * @param definition the machine's {@link io.lockstep.vm.machine.VirtualMachine#definition}; empty
 *     for a secondary that builds what it is told
 * @param self this replica
 * @param listen where this replica accepts secondaries as a primary, {@code host:port} or empty
 * @param timing durations
 */
public record PairConfig(
    String vm, String definition, ReplicaId self, String listen, Timing timing) {}
