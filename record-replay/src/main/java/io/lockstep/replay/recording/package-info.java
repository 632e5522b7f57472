/**
 * A recording is a directory: what machine it is, snapshots, and the log. {@link
 * io.lockstep.replay.recording.Recorder} makes one from a live machine, {@link
 * io.lockstep.replay.recording.Recording} opens one, {@link
 * io.lockstep.replay.recording.ReplaySession} replays it.
 */
package io.lockstep.replay.recording;
