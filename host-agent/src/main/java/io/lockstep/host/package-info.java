/**
 * What a host offers to virtual machines: processes, pairing, disks, the virtual switch, the API.
 */
package io.lockstep.host;
