package io.lockstep.vm.virtio;

import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A virtio driver as a guest has one, in front of a real transport: it negotiates, lays out rings
 * in guest memory, adds requests and takes back what is done. It keeps to the rules; tests that
 * break them write into the rings themselves.
 */
final class MockDriver {
  static final int RAM_BYTES = 4 << 20;

  private static final int NEXT = 1;
  private static final int WRITE = 2;
  private static final int INDIRECT = 4;

  final GuestRam ram;
  final VirtioMmio transport;
  final List<Output> outputs = new ArrayList<>();
  boolean irq;
  private long features;
  private long free = GuestRam.BASE;

  MockDriver(VirtioSlot slot) {
    this(slot, new GuestRam(RAM_BYTES));
  }

  MockDriver(VirtioSlot slot, GuestRam ram) {
    this.ram = ram;
    this.transport = VirtioMmio.create(slot, 0, ram, level -> irq = level, outputs::add);
  }

  /** A piece of a request: guest memory that the device reads or writes. */
  record Buffer(long address, int length, boolean deviceWrites) {}

  /** A finished request. */
  record Used(int head, int length) {}

  int read(int register) {
    return (int) transport.read(register, 4);
  }

  void write(int register, int value) {
    transport.write(register, 4, value);
  }

  long alloc(int bytes) {
    long at = free;
    free = free + bytes + 63 & -64;
    return at;
  }

  /** Memory is given out again from here on. */
  void resetAllocator(long address) {
    free = address;
  }

  Buffer out(byte[] bytes) {
    long at = alloc(bytes.length);
    ram.write(at, bytes, 0, bytes.length);
    return new Buffer(at, bytes.length, false);
  }

  Buffer in(int length) {
    return new Buffer(alloc(length), length, true);
  }

  byte[] bytes(Buffer buffer) {
    byte[] b = new byte[buffer.length()];
    ram.read(buffer.address(), b, 0, b.length);
    return b;
  }

  long offeredFeatures() {
    write(0x14, 0);
    long low = read(0x10) & 0xffff_ffffL;
    write(0x14, 1);
    return low | (long) read(0x10) << 32;
  }

  /** Resets the device and negotiates what is wanted of what is offered, up to FEATURES_OK. */
  void negotiate(long wanted) {
    write(0x70, 0);
    write(0x70, 1);
    write(0x70, 3);
    features = offeredFeatures() & wanted;
    write(0x24, 0);
    write(0x20, (int) features);
    write(0x24, 1);
    write(0x20, (int) (features >>> 32));
    write(0x70, 11);
  }

  void driverOk() {
    write(0x70, 15);
  }

  /** Negotiates everything, makes all queues of the size, and sets DRIVER_OK. */
  Ring[] start(long wanted, int queues, int size) {
    negotiate(wanted);
    Ring[] rings = new Ring[queues];
    for (int i = 0; i < queues; i++) {
      rings[i] = new Ring(i, size);
    }
    driverOk();
    return rings;
  }

  byte[] save() {
    StateWriter out = new StateWriter();
    transport.save(out);
    return out.toByteArray();
  }

  void restore(byte[] state) {
    transport.restore(new StateReader(state));
  }

  <T extends Output> List<T> outputs(Class<T> type) {
    return outputs.stream().filter(type::isInstance).map(type::cast).toList();
  }

  /** The driver's side of one queue. */
  final class Ring {
    final int index;
    final int size;
    final long descriptors;
    final long driverArea;
    final long deviceArea;
    private final Deque<Integer> freeDescriptors = new ArrayDeque<>();
    private final Map<Integer, int[]> chains = new HashMap<>();
    private int available;
    private int notified;
    private int taken;
    boolean indirect;

    Ring(int index, int size) {
      this.index = index;
      this.size = size;
      descriptors = alloc(16 * size);
      driverArea = alloc(6 + 2 * size);
      deviceArea = alloc(6 + 8 * size);
      for (int i = 0; i < size; i++) {
        freeDescriptors.add(i);
      }
      MockDriver.this.write(0x30, index);
      MockDriver.this.write(0x38, size);
      long[] areas = {descriptors, driverArea, deviceArea};
      for (int i = 0; i < 3; i++) {
        MockDriver.this.write(0x80 + 0x10 * i, (int) areas[i]);
        MockDriver.this.write(0x84 + 0x10 * i, (int) (areas[i] >>> 32));
      }
      MockDriver.this.write(0x44, 1);
    }

    int free() {
      return freeDescriptors.size();
    }

    /** Adds a request and returns its head, without telling the device. */
    int add(Buffer... buffers) {
      int[] used = new int[indirect ? 1 : buffers.length];
      for (int i = 0; i < used.length; i++) {
        used[i] = freeDescriptors.remove();
      }
      if (indirect) {
        long table = alloc(16 * buffers.length);
        for (int i = 0; i < buffers.length; i++) {
          describe(table, i, buffers[i], i + 1 < buffers.length ? i + 1 : -1);
        }
        raw(descriptors + 16L * used[0], table, 16 * buffers.length, INDIRECT, 0);
      } else {
        for (int i = 0; i < buffers.length; i++) {
          describe(descriptors, used[i], buffers[i], i + 1 < buffers.length ? used[i + 1] : -1);
        }
      }
      chains.put(used[0], used);
      offer(used[0]);
      return used[0];
    }

    /** Puts a head into the available ring, whatever it is. */
    void offer(int head) {
      ram.putShort(driverArea + 4 + 2L * (available & (size - 1)), head);
      available = available + 1 & 0xffff;
      ram.putShort(driverArea + 2, available);
    }

    private void describe(long table, int at, Buffer b, int next) {
      int flags = (b.deviceWrites() ? WRITE : 0) | (next >= 0 ? NEXT : 0);
      raw(table + 16L * at, b.address(), b.length(), flags, Math.max(next, 0));
    }

    void raw(long at, long address, int length, int flags, int next) {
      ram.putLong(at, address);
      ram.putInt(at + 8, length);
      ram.putShort(at + 12, flags);
      ram.putShort(at + 14, next);
    }

    /** Notifies the device of what was added, if it wants to know; says whether it did. */
    boolean kick() {
      int old = notified;
      notified = available;
      if ((features & Features.EVENT_IDX) != 0) {
        int event = ram.getShort(deviceArea + 4 + 8L * size);
        if ((available - event - 1 & 0xffff) >= (available - old & 0xffff)) {
          return false;
        }
      }
      notifyAlways();
      return true;
    }

    void notifyAlways() {
      MockDriver.this.write(0x50, index);
    }

    void suppressInterrupts(boolean suppress) {
      ram.putShort(driverArea, suppress ? 1 : 0);
    }

    /** With EVENT_IDX: asks for an interrupt when the used index passes {@code index}. */
    void usedEvent(int index) {
      ram.putShort(driverArea + 4 + 2L * size, index);
    }

    int usedIndex() {
      return ram.getShort(deviceArea + 2);
    }

    /** Takes one finished request; null if there is none. Its descriptors are free again. */
    Used poll() {
      if (usedIndex() == taken) {
        return null;
      }
      long at = deviceArea + 4 + 8L * (taken & (size - 1));
      taken = taken + 1 & 0xffff;
      Used used = new Used(ram.getInt(at), ram.getInt(at + 4));
      int[] chain = chains.remove(used.head());
      if (chain == null) {
        throw new AssertionError(
            "the device finished request " + used.head() + " that it was never given");
      }
      Arrays.stream(chain).forEach(freeDescriptors::add);
      return used;
    }
  }
}
