/**
 * The channel between the two sides of a pair: Netty, framed messages, TLS 1.3 with both
 * certificates checked.
 */
package io.lockstep.ft.transport;
