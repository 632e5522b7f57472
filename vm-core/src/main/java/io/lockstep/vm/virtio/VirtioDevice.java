package io.lockstep.vm.virtio;

import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.OutputSink;
import io.lockstep.vm.snapshot.Stateful;

/**
 * A device type behind a {@link VirtioMmio} transport, which owns status, features and queues. A
 * device has no state but what {@link #save} writes.
 *
 * <p>What a driver does wrong is answered with {@link #fail}: the device asks to be reset and is
 * quiet until then (virtio 1.2 §2.1.2).
 */
public abstract class VirtioDevice implements Stateful {
  private VirtioMmio transport;
  private final int[] queueSizes;

  /** Makes a device with one queue for each size, a power of two each. */
  VirtioDevice(int... queueSizes) {
    this.queueSizes = queueSizes.clone();
  }

  final void attach(VirtioMmio to) {
    transport = to;
  }

  final int[] queueSizes() {
    return queueSizes.clone();
  }

  /** The device type (virtio 1.2 §5); 0 for an empty slot. */
  abstract int type();

  /** Offered features of this device type, without those of {@link Features#COMMON}. */
  long features() {
    return 0;
  }

  /** The configuration space; reading beyond its end gives zeroes. It never changes. */
  byte[] config() {
    return new byte[0];
  }

  /** The driver has put something into a queue. Only called while the device runs. */
  abstract void notified(int queue);

  /**
   * The driver resets the device: all requests are forgotten, and what comes for them later is
   * ignored.
   */
  abstract void reset();

  /** Takes an input that is addressed to this device. What makes no sense is ignored. */
  public abstract void apply(Input input);

  /** Emits every request in flight again, in the order of the ids, to {@code sink}. */
  public void reissue(OutputSink sink) {}

  /** Whether the driver has finished its set-up and nothing is broken. */
  final boolean isRunning() {
    return transport.isRunning();
  }

  final GuestRam ram() {
    return transport.ram();
  }

  final Virtqueue queue(int index) {
    return transport.queue(index);
  }

  final boolean has(long feature) {
    return (transport.driverFeatures() & feature) != 0;
  }

  /** Takes the next request; null if there is none. A broken ring fails the device. */
  final DescriptorChain poll(int queue) {
    Virtqueue q = queue(queue);
    DescriptorChain chain = q.poll();
    if (chain == null && q.isBroken()) {
      fail();
    }
    return chain;
  }

  /** Interrupts the driver if requests were finished on the queue and it wants to know. */
  final void signal(int queue) {
    if (queue(queue).takeInterrupt()) {
      transport.raiseUsed();
    }
  }

  /** The driver broke the rules. */
  final void fail() {
    transport.needsReset();
  }
}
