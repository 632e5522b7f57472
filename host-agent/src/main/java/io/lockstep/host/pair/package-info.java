/** A protected virtual machine on this host: the real devices that a replica is given. */
package io.lockstep.host.pair;
