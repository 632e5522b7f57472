/**
 * Log entries and their bytes: {@link io.lockstep.replay.log.LogEntry} is what is logged, {@link
 * io.lockstep.replay.log.LogEncoder} and {@link io.lockstep.replay.log.LogDecoder} turn a sequence
 * of them into a byte stream and back. The same bytes stand in a recording and travel to a
 * secondary.
 */
package io.lockstep.replay.log;
