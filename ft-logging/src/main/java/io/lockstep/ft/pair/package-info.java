/**
 * A replica in production: what carries the pair protocol's effects out, with threads, sockets and
 * files.
 */
package io.lockstep.ft.pair;
