package io.lockstep.host.pair;

import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.snapshot.StateFormatException;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A machine's configuration as bytes, for the secondary that is to make the same machine. */
final class MachineDescription {
  private static final int VERSION = 1;
  private static final int EMPTY = 0;
  private static final int BLOCK = 1;
  private static final int NET = 2;
  private static final int CONSOLE = 3;
  private static final int ENTROPY = 4;
  private static final int SERIAL_MAX = 20;

  private MachineDescription() {}

  static byte[] encode(MachineConfig config) {
    StateWriter out = new StateWriter();
    out.section("machine").putInt(VERSION).putLong(config.memoryBytes());
    out.putByte(config.clock().ordinal()).putByte(config.firmware().ordinal());
    out.putLong(config.rtcBaseNanos()).putByte(config.virtio().size());
    for (VirtioSlot slot : config.virtio()) {
      switch (slot) {
        case VirtioSlot.Empty _ -> out.putByte(EMPTY);
        case VirtioSlot.Block b ->
            out.putByte(BLOCK)
                .putLong(b.sectors())
                .putBoolean(b.readOnly())
                .putBytes(b.serial().getBytes(StandardCharsets.US_ASCII));
        case VirtioSlot.Net n -> out.putByte(NET).putLong(n.mac()).putBoolean(n.offloads());
        case VirtioSlot.Console _ -> out.putByte(CONSOLE);
        case VirtioSlot.Entropy _ -> out.putByte(ENTROPY);
      }
    }
    return out.toByteArray();
  }

  static MachineConfig decode(byte[] bytes) throws IOException {
    try {
      StateReader in = new StateReader(bytes);
      int version = in.section("machine").getInt();
      if (version != VERSION) {
        throw new IOException(
            "The primary describes its machine in version %d, this side understands %d; use the same version of Lockstep."
                .formatted(version, VERSION));
      }
      long memory = in.getLong();
      ClockMode clock = value(ClockMode.values(), in.getByte());
      Firmware firmware = value(Firmware.values(), in.getByte());
      long rtc = in.getLong();
      int count = in.getByte();
      List<VirtioSlot> slots = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        slots.add(slot(in));
      }
      return new MachineConfig(memory, clock, firmware, rtc, slots);
    } catch (StateFormatException | IllegalArgumentException e) {
      throw new IOException(
          "The primary's description of its machine is damaged: " + e.getMessage() + ".", e);
    }
  }

  private static <T> T value(T[] values, int ordinal) {
    if (ordinal >= values.length) {
      throw new StateFormatException("value %d is unknown".formatted(ordinal));
    }
    return values[ordinal];
  }

  private static VirtioSlot slot(StateReader in) {
    int kind = in.getByte();
    return switch (kind) {
      case EMPTY -> new VirtioSlot.Empty();
      case BLOCK -> {
        long sectors = in.getLong();
        boolean readOnly = in.getBoolean();
        yield new VirtioSlot.Block(
            sectors, readOnly, new String(in.getBytes(SERIAL_MAX), StandardCharsets.US_ASCII));
      }
      case NET -> new VirtioSlot.Net(in.getLong(), in.getBoolean());
      case CONSOLE -> new VirtioSlot.Console();
      case ENTROPY -> new VirtioSlot.Entropy();
      default -> throw new StateFormatException("device %d is unknown".formatted(kind));
    };
  }
}
