/**
 * Where a log stream is kept: written through Chronicle Queue, read back byte by byte without it,
 * so that no damage to a file can do more than end the reading. The only package that knows
 * Chronicle.
 */
package io.lockstep.replay.store;
