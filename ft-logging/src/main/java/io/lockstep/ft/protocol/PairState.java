package io.lockstep.ft.protocol;

/**
 * The whole state of a replica's protocol.
 *
 * @param role what it is
 * @param at when the last event was handled: a long silence since then means that this process
 *     itself did not run
 */
public record PairState(Role role, long at) {}
