package io.lockstep.vm.virtio;

import io.lockstep.vm.bus.IrqLine;
import io.lockstep.vm.bus.MmioDevice;
import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.DeviceId;
import io.lockstep.vm.port.OutputSink;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.snapshot.Stateful;

/**
 * The memory-mapped virtio transport, version 2 (virtio 1.2 §4.2.2), with one device behind it.
 * Registers are 32 bits wide and take only accesses of that width; the configuration space at 0x100
 * takes any.
 *
 * <p>A driver need not accept VERSION_1, as xv6 doesn't; it is served all the same, with the modern
 * layout.
 */
public final class VirtioMmio implements MmioDevice, Stateful {
  /** Guest physical address of the first slot's window. */
  public static final long BASE = 0x1000_1000L;

  /** Bytes from one slot's window to the next, and of each window. */
  public static final long STRIDE = 0x1000L;

  private static final int MAGIC = 0x7472_6976;
  private static final int VERSION = 2;

  /** QEMU's vendor id: xv6 looks for it. */
  private static final int VENDOR = 0x554d_4551;

  private static final int CONFIG = 0x100;

  private static final int STATUS_DRIVER_OK = 4;
  private static final int STATUS_FEATURES_OK = 8;
  private static final int STATUS_NEEDS_RESET = 64;
  private static final int STATUS_WRITABLE = 0x8f;

  private static final int INTERRUPT_USED = 1;
  private static final int INTERRUPT_CONFIG = 2;

  private final GuestRam ram;
  private final IrqLine irq;
  private final VirtioDevice device;
  private final byte[] config;
  private final long offered;
  private final Virtqueue[] queues;
  private int status;
  private int interruptStatus;
  private int deviceFeaturesSel;
  private int driverFeaturesSel;
  private long driverFeatures;
  private int queueSel;

  /**
   * Makes a transport in its reset state.
   *
   * @param irq the wire to the PLIC
   * @param device the device behind it, which belongs to this transport from now on
   */
  public VirtioMmio(GuestRam ram, IrqLine irq, VirtioDevice device) {
    this.ram = ram;
    this.irq = irq;
    this.device = device;
    this.config = device.config();
    this.offered = device.type() == 0 ? 0 : device.features() | Features.COMMON;
    int[] sizes = device.queueSizes();
    this.queues = new Virtqueue[sizes.length];
    for (int i = 0; i < sizes.length; i++) {
      queues[i] = new Virtqueue(ram, sizes[i]);
    }
    device.attach(this);
  }

  /**
   * Makes slot {@code slot} (0 to 7) as configured. Its window is at {@link #base}, its interrupt
   * source {@link #irq}.
   */
  public static VirtioMmio create(
      VirtioSlot config, int slot, GuestRam ram, IrqLine irq, OutputSink sink) {
    int id = DeviceId.virtio(slot);
    VirtioDevice device =
        switch (config) {
          case VirtioSlot.Empty empty -> new EmptySlot();
          case VirtioSlot.Block block -> new VirtioBlock(id, block, sink);
          case VirtioSlot.Net net -> new VirtioNet(id, net, sink);
          case VirtioSlot.Console console -> new VirtioConsole(id, sink);
          case VirtioSlot.Entropy entropy -> new VirtioEntropy(id, sink);
        };
    return new VirtioMmio(ram, irq, device);
  }

  /** Guest physical address of a slot's window. */
  public static long base(int slot) {
    return BASE + slot * STRIDE;
  }

  /** Interrupt source of a slot at the PLIC. */
  public static int irq(int slot) {
    return 1 + slot;
  }

  /** The device behind this transport. */
  public VirtioDevice device() {
    return device;
  }

  GuestRam ram() {
    return ram;
  }

  Virtqueue queue(int index) {
    return queues[index];
  }

  long driverFeatures() {
    return driverFeatures;
  }

  boolean isRunning() {
    return (status & (STATUS_DRIVER_OK | STATUS_NEEDS_RESET)) == STATUS_DRIVER_OK;
  }

  void raiseUsed() {
    raise(INTERRUPT_USED);
  }

  /** Virtio 1.2 §2.1.2: after DRIVER_OK the driver is told by a configuration change interrupt. */
  void needsReset() {
    if ((status & STATUS_NEEDS_RESET) == 0) {
      status |= STATUS_NEEDS_RESET;
      if ((status & STATUS_DRIVER_OK) != 0) {
        raise(INTERRUPT_CONFIG);
      }
    }
  }

  private void raise(int bit) {
    interruptStatus |= bit;
    irq.set(true);
  }

  @Override
  public long read(long offset, int size) {
    if (offset >= CONFIG) {
      return readConfig((int) offset - CONFIG, size);
    }
    if (size != 4) {
      return 0;
    }
    return switch ((int) offset) {
      case 0x000 -> MAGIC;
      case 0x004 -> VERSION;
      case 0x008 -> device.type();
      case 0x00c -> VENDOR;
      case 0x010 -> deviceFeaturesSel == 0 ? offered : deviceFeaturesSel == 1 ? offered >>> 32 : 0;
      case 0x034 -> selected() == null ? 0 : selected().sizeMax();
      case 0x044 -> selected() != null && selected().isReady() ? 1 : 0;
      case 0x060 -> interruptStatus;
      case 0x070 -> status;
      // §4.2.2.2: a shared memory region that does not exist has length and base of all ones.
      case 0x0b0, 0x0b4, 0x0b8, 0x0bc -> -1;
      default -> 0;
    };
  }

  private long readConfig(int at, int size) {
    long v = 0;
    for (int i = 0; i < size && at + i < config.length; i++) {
      v |= (config[at + i] & 0xffL) << 8 * i;
    }
    return v;
  }

  @Override
  public void write(long offset, int size, long value) {
    if (size != 4 || offset >= CONFIG || device.type() == 0) {
      return;
    }
    int v = (int) value;
    switch ((int) offset) {
      case 0x014 -> deviceFeaturesSel = v;
      case 0x020 -> setDriverFeatures(v);
      case 0x024 -> driverFeaturesSel = v;
      case 0x030 -> queueSel = v;
      case 0x050 -> notifyQueue(v);
      case 0x064 -> {
        interruptStatus &= ~v;
        irq.set(interruptStatus != 0);
      }
      case 0x070 -> setStatus(v);
      default -> writeQueue((int) offset, v);
    }
  }

  private void writeQueue(int offset, int v) {
    Virtqueue queue = selected();
    if (queue == null) {
      return;
    }
    switch (offset) {
      case 0x038 -> queue.setSize(v);
      case 0x044 -> setReady(queue, (v & 1) != 0);
      case 0x080 -> queue.setAddress(0, false, v);
      case 0x084 -> queue.setAddress(0, true, v);
      case 0x090 -> queue.setAddress(1, false, v);
      case 0x094 -> queue.setAddress(1, true, v);
      case 0x0a0 -> queue.setAddress(2, false, v);
      case 0x0a4 -> queue.setAddress(2, true, v);
      default -> {
        // Read-only or reserved.
      }
    }
  }

  private Virtqueue selected() {
    return queueSel >= 0 && queueSel < queues.length ? queues[queueSel] : null;
  }

  private void setReady(Virtqueue queue, boolean ready) {
    if (!ready) {
      queue.disable();
      return;
    }
    queue.enable(driverFeatures);
    if (queue.isBroken()) {
      needsReset();
    }
  }

  private void setDriverFeatures(int v) {
    // §3.1.1: features are settled once FEATURES_OK is set.
    if ((status & STATUS_FEATURES_OK) != 0) {
      return;
    }
    long bits = v & 0xffff_ffffL;
    if (driverFeaturesSel == 0) {
      driverFeatures = driverFeatures & 0xffff_ffff_0000_0000L | bits;
    } else if (driverFeaturesSel == 1) {
      driverFeatures = driverFeatures & 0xffff_ffffL | bits << 32;
    }
  }

  private void setStatus(int v) {
    if (v == 0) {
      reset();
      return;
    }
    int wanted = v & STATUS_WRITABLE;
    // §2.2.2: a driver that wants what is not offered finds FEATURES_OK unset.
    if ((driverFeatures & ~offered) != 0) {
      wanted &= ~STATUS_FEATURES_OK;
    }
    status = wanted | status & STATUS_NEEDS_RESET;
  }

  private void reset() {
    status = 0;
    interruptStatus = 0;
    deviceFeaturesSel = 0;
    driverFeaturesSel = 0;
    driverFeatures = 0;
    queueSel = 0;
    for (Virtqueue queue : queues) {
      queue.reset();
    }
    device.reset();
    irq.set(false);
  }

  private void notifyQueue(int index) {
    if (index >= 0 && index < queues.length && isRunning() && queues[index].isReady()) {
      device.notified(index);
    }
  }

  @Override
  public void save(StateWriter out) {
    out.section("virtio").putInt(device.type());
    out.putInt(status).putInt(interruptStatus).putInt(deviceFeaturesSel).putInt(driverFeaturesSel);
    out.putLong(driverFeatures).putInt(queueSel);
    for (Virtqueue queue : queues) {
      queue.save(out);
    }
    device.save(out);
  }

  @Override
  public void restore(StateReader in) {
    in.section("virtio").getInt(device.type(), device.type());
    status = in.getInt(0, STATUS_WRITABLE | STATUS_NEEDS_RESET);
    interruptStatus = in.getInt(0, INTERRUPT_USED | INTERRUPT_CONFIG);
    deviceFeaturesSel = in.getInt();
    driverFeaturesSel = in.getInt();
    driverFeatures = in.getLong();
    queueSel = in.getInt();
    for (Virtqueue queue : queues) {
      queue.restore(in);
    }
    device.restore(in);
    irq.set(interruptStatus != 0);
  }
}
