package io.lockstep.host.vm;

/**
 * A network card: its address, and where its cable leads.
 *
 * @param mac 48 bits in the low bits
 */
public record NetSpec(long mac) {}
