/**
 * The board's devices that are not virtio: interrupt controller, core-local interruptor, serial
 * port, clock, power.
 */
package io.lockstep.vm.device;
