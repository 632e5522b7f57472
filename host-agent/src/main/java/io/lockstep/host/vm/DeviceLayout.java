package io.lockstep.host.vm;

import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.port.DeviceId;
import java.util.ArrayList;
import java.util.List;

/**
 * Which device is where. The virtio-mmio slots are filled in a fixed order: network card, disks in
 * the order given, entropy source, console; so the same options always make the same machine.
 *
 * @param nets {@link DeviceId}s of the network cards
 * @param disks of the disks, in the guest's order
 * @param entropies of the entropy sources
 * @param consoles of the virtio consoles (the UART is not among them)
 */
public record DeviceLayout(
    List<Integer> nets, List<Integer> disks, List<Integer> entropies, List<Integer> consoles) {

  /** The layout of any machine, however its configuration came about. */
  public static DeviceLayout of(MachineConfig config) {
    var nets = new ArrayList<Integer>();
    var disks = new ArrayList<Integer>();
    var entropies = new ArrayList<Integer>();
    var consoles = new ArrayList<Integer>();
    for (int slot = 0; slot < config.virtio().size(); slot++) {
      int device = DeviceId.virtio(slot);
      switch (config.virtio().get(slot)) {
        case VirtioSlot.Net _ -> nets.add(device);
        case VirtioSlot.Block _ -> disks.add(device);
        case VirtioSlot.Entropy _ -> entropies.add(device);
        case VirtioSlot.Console _ -> consoles.add(device);
        case VirtioSlot.Empty _ -> {}
      }
    }
    return new DeviceLayout(
        List.copyOf(nets), List.copyOf(disks), List.copyOf(entropies), List.copyOf(consoles));
  }

  /** The slots for a specification, in the fixed order. */
  static List<VirtioSlot> slots(VmSpec spec, List<Long> diskSectors) {
    var slots = new ArrayList<VirtioSlot>();
    spec.net().ifPresent(net -> slots.add(new VirtioSlot.Net(net.mac(), true)));
    for (int i = 0; i < spec.disks().size(); i++) {
      VmSpec.DiskSpec disk = spec.disks().get(i);
      slots.add(new VirtioSlot.Block(diskSectors.get(i), disk.readOnly(), disk.serial()));
    }
    if (spec.entropy()) {
      slots.add(new VirtioSlot.Entropy());
    }
    if (spec.virtioConsole()) {
      slots.add(new VirtioSlot.Console());
    }
    return slots;
  }

  /** How many slots a specification needs. */
  static int slotsNeeded(VmSpec spec) {
    return spec.disks().size()
        + (spec.net().isPresent() ? 1 : 0)
        + (spec.entropy() ? 1 : 0)
        + (spec.virtioConsole() ? 1 : 0);
  }
}
