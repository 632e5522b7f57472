package io.lockstep.vm.machine;

import io.lockstep.vm.firmware.BootException;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.guest.SmallGuest;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.DeviceId;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * The small guest with a disk and a network, in a world whose inputs arrive at fixed execution
 * points: every {@link #INTERVAL} steps the disk answers what was asked since, and now and then a
 * client sends a datagram.
 */
final class ScriptedWorld {
  /** Steps between two looks of the world at the machine. */
  static final long INTERVAL = 20_000;

  private static final long MEMORY = 32L << 20;
  private static final int SECTOR = 512;
  private static final int NET = DeviceId.virtio(0);
  private static final int DISK = DeviceId.virtio(1);
  private static final long DISK_SECTORS = 4096;

  final StringBuilder console = new StringBuilder();
  final List<String> replies = new ArrayList<>();
  private final byte[] disk = new byte[(int) DISK_SECTORS * SECTOR];
  private final ArrayDeque<Output.BlockRequest> asked = new ArrayDeque<>();
  private int datagrams;
  private Machine machine;

  private ScriptedWorld() {}

  static MachineConfig config() {
    return new MachineConfig(
        MEMORY,
        ClockMode.INSTRUCTIONS,
        Firmware.BUILT_IN,
        1_700_000_000_000_000_000L,
        List.of(
            new VirtioSlot.Net(0x5254_0012_3456L, true),
            new VirtioSlot.Block(DISK_SECTORS, false, "scripted")));
  }

  /** A machine at its first step. */
  static ScriptedWorld start() throws BootException {
    ScriptedWorld world = new ScriptedWorld();
    world.machine = new Machine(config(), world::take);
    world.machine.boot(
        KernelLoader.Images.of(SmallGuest.elf(), new byte[0]), "beat_ms=20 dirty_kb=64 load=cpu");
    return world;
  }

  Machine machine() {
    return machine;
  }

  /** The same world around a new machine that got its state and memory by way of a snapshot. */
  void restartFromSnapshot() {
    StateWriter state = new StateWriter();
    machine.saveState(state);
    Machine fresh = new Machine(config(), this::take);
    byte[] page = new byte[GuestRam.PAGE];
    for (int i = 0; i < machine.ram().pages(); i++) {
      long address = GuestRam.BASE + (long) i * GuestRam.PAGE;
      machine.ram().read(address, page, 0, page.length);
      fresh.ram().write(address, page, 0, page.length);
    }
    fresh.restoreState(new StateReader(state.toByteArray()));
    machine = fresh;
  }

  /** Runs to the end of the present interval and lets the world act. */
  void step() {
    long end = (machine.steps() / INTERVAL + 1) * INTERVAL;
    machine.run(end);
    while (!asked.isEmpty()) {
      machine.apply(answer(asked.remove()));
    }
    if (end / INTERVAL % 10 == 5) {
      datagrams++;
      machine.apply(new Input.PacketArrival(NET, datagram("ADD total " + datagrams + "\n")));
    }
  }

  private void take(Output output) {
    switch (output) {
      case Output.ConsoleBytes c -> console.append(new String(c.data(), StandardCharsets.US_ASCII));
      case Output.BlockRequest b -> asked.add(b);
      case Output.PacketSent p -> reply(p.frame());
      case Output.EntropyRequest e -> throw new AssertionError("there is no entropy device");
    }
  }

  private Input answer(Output.BlockRequest request) {
    byte[] data = {};
    int at = (int) request.sector() * SECTOR;
    switch (request.op()) {
      case READ -> data = java.util.Arrays.copyOfRange(disk, at, at + (int) request.length());
      case WRITE -> System.arraycopy(request.data(), 0, disk, at, request.data().length);
      case FLUSH, DISCARD, WRITE_ZEROES -> {}
    }
    return new Input.BlockCompletion(DISK, request.requestId(), Input.BlockStatus.OK, data);
  }

  private void reply(byte[] frame) {
    ByteBuffer f = ByteBuffer.wrap(frame).position(12).slice();
    if (f.remaining() > 42 && f.getShort(12) == 0x0800 && f.get(23) == 17) {
      byte[] text = new byte[f.getShort(38) - 8];
      f.position(42).get(text);
      replies.add(new String(text, StandardCharsets.US_ASCII).strip());
    }
  }

  /** A UDP datagram to the guest's service, from 10.0.2.2. */
  private static byte[] datagram(String text) {
    byte[] payload = text.getBytes(StandardCharsets.US_ASCII);
    ByteBuffer b = ByteBuffer.allocate(12 + 42 + payload.length);
    b.position(12);
    b.put(new byte[] {0x52, 0x54, 0, 0x12, 0x34, 0x56}).put(new byte[] {2, 0, 0, 0, 0, 2});
    b.putShort((short) 0x0800)
        .put((byte) 0x45)
        .put((byte) 0)
        .putShort((short) (28 + payload.length));
    b.putInt(0).put((byte) 64).put((byte) 17).putShort((short) 0);
    b.put(new byte[] {10, 0, 2, 2}).put(new byte[] {10, 0, 2, 15});
    int sum = 0;
    for (int i = 0; i < 20; i += 2) {
      sum += b.getShort(12 + 14 + i) & 0xffff;
    }
    sum = (sum & 0xffff) + (sum >>> 16);
    b.putShort(12 + 14 + 10, (short) ~((sum & 0xffff) + (sum >>> 16)));
    b.putShort((short) 5000)
        .putShort((short) 7000)
        .putShort((short) (8 + payload.length))
        .putShort((short) 0);
    b.put(payload);
    return b.array();
  }
}
