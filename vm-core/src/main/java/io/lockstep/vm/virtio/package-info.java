/**
 * Virtio devices behind the memory-mapped transport (virtio 1.2). {@link
 * io.lockstep.vm.virtio.VirtioMmio} is the transport, {@link io.lockstep.vm.virtio.Virtqueue} a
 * split ring, and each subclass of {@link io.lockstep.vm.virtio.VirtioDevice} a device type.
 */
package io.lockstep.vm.virtio;
