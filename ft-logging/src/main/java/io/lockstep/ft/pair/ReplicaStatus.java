package io.lockstep.ft.pair;

import io.lockstep.ft.protocol.StatusView;

/**
 * What a replica is doing, for {@code lockstep status}.
 *
 * @param protocol role, epoch, lag, throttle
 * @param heldOutputs outputs that wait for an ack
 * @param heldBytes memory that they take
 * @param logBytes bytes of log sent or received for the present attach
 * @param attachStopNanos how long the guest stood still for the newest attach; 0 before one
 */
public record ReplicaStatus(
    StatusView protocol, int heldOutputs, long heldBytes, long logBytes, long attachStopNanos) {}
