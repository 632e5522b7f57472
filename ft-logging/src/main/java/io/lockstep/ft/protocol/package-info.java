/**
 * The pair protocol as a pure function: {@code (state, now, event) -> (state, effects)}. No socket,
 * no thread, no clock. {@code docs/pair-protocol.md} has the states, the messages and the safety
 * argument.
 */
package io.lockstep.ft.protocol;
