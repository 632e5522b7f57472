/**
 * A virtual machine as a process of this host: what the user asked for ({@link
 * io.lockstep.host.vm.VmSpec}), the resources it needs ({@link io.lockstep.host.vm.VmParts}), and
 * one life of it from power-on to power-off ({@link io.lockstep.host.vm.LiveVm}).
 */
package io.lockstep.host.vm;
