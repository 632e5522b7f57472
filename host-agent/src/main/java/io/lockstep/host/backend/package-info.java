/**
 * The real I/O of the machine's devices, off the vCPU thread: disks, consoles, network, entropy.
 */
package io.lockstep.host.backend;
