package io.lockstep.host.vm;

import io.lockstep.host.backend.FileBlockBackend;
import io.lockstep.host.backend.HostEntropy;
import io.lockstep.host.backend.LinkBackend;
import io.lockstep.replay.live.Backends;
import io.lockstep.replay.live.BlockBackend;
import io.lockstep.replay.live.ConsoleBackend;
import io.lockstep.replay.live.EntropyBackend;
import io.lockstep.replay.live.InputJournal;
import io.lockstep.replay.live.InputPort;
import io.lockstep.replay.live.OutputGate;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.vm.engine.EngineOptions;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.port.DeviceId;
import io.lockstep.vm.port.OutputSink;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * What a virtual machine holds of its host: open disks, its network cable, its console. Outlives
 * reboots of the guest. Closing brings all writes to the disks.
 */
public final class VmParts implements AutoCloseable {
  private final VmSpec spec;
  private final List<BlockBackend> disks;
  private final Optional<LinkBackend> net;
  private final ConsoleBackend console;
  private final EntropyBackend entropy = new HostEntropy();

  private VmParts(
      VmSpec spec, List<BlockBackend> disks, Optional<LinkBackend> net, ConsoleBackend console) {
    this.spec = spec;
    this.disks = disks;
    this.net = net;
    this.console = console;
  }

  /** Connects a network card's cable. */
  @FunctionalInterface
  public interface NetOpener {
    /** Opens the backend of the card. */
    LinkBackend open(NetSpec net) throws SetupException;

    /** Cables of an unprotected machine. */
    NetOpener CABLES = Cables::open;
  }

  /** Opens disks. */
  @FunctionalInterface
  public interface DiskOpener {
    /** Opens the backend of a disk. */
    BlockBackend open(VmSpec.DiskSpec disk) throws SetupException;

    /** Disks in image files of their own. */
    DiskOpener FILES = disk -> FileBlockBackend.open(disk.image(), disk.readOnly());
  }

  /**
   * Opens everything.
   *
   * @param console of the UART and, if there is one, the virtio console; closed with the parts
   * @throws SetupException with a sentence for the user; nothing stays open then but the console
   */
  public static VmParts open(
      VmSpec spec, DiskOpener diskOpener, NetOpener netOpener, ConsoleBackend console)
      throws SetupException {
    int slots = DeviceLayout.slotsNeeded(spec);
    if (slots > DeviceId.VIRTIO_SLOTS) {
      throw new SetupException(
          "The machine has room for %d devices and %d are wanted; leave some disks out."
              .formatted(DeviceId.VIRTIO_SLOTS, slots));
    }
    var disks = new ArrayList<BlockBackend>();
    boolean done = false;
    try {
      for (VmSpec.DiskSpec disk : spec.disks()) {
        disks.add(diskOpener.open(disk));
      }
      Optional<LinkBackend> net =
          spec.net().isPresent() ? Optional.of(netOpener.open(spec.net().get())) : Optional.empty();
      done = true;
      return new VmParts(spec, List.copyOf(disks), net, console);
    } finally {
      if (!done) {
        disks.forEach(BlockBackend::close);
      }
    }
  }

  /** The configuration of a machine with these parts. */
  public MachineConfig machineConfig() {
    return machineConfig(spec, disks.stream().map(BlockBackend::sectors).toList());
  }

  /** The configuration of a machine whose disks have these sizes. */
  public static MachineConfig machineConfig(VmSpec spec, List<Long> diskSectors) {
    return spec.machineConfig(diskSectors);
  }

  /** What the user asked for. */
  public VmSpec spec() {
    return spec;
  }

  /**
   * A machine with kernel, initrd and firmware in its memory, before its first step.
   *
   * @param outputs where its outputs go
   * @throws SetupException if there is not enough memory, or the files are not what they should be
   */
  public Machine bootedMachine(MachineConfig config, OutputSink outputs) throws SetupException {
    return bootedMachine(spec, config, outputs);
  }

  /** The same for a machine whose parts are opened later, when it owns them. */
  public static Machine bootedMachine(VmSpec spec, MachineConfig config, OutputSink outputs)
      throws SetupException {
    return bootedMachine(spec, config, outputs, EngineOptions.standard());
  }

  /** The same with a choice of how it is executed. */
  public static Machine bootedMachine(
      VmSpec spec, MachineConfig config, OutputSink outputs, EngineOptions engine)
      throws SetupException {
    HostLimits.check(config.memoryBytes());
    Machine machine;
    try {
      machine = new Machine(config, outputs, engine);
    } catch (OutOfMemoryError e) {
      throw HostLimits.tooMuch(config.memoryBytes(), e);
    }
    BootFiles.boot(machine, spec.boot());
    return machine;
  }

  /** A machine that starts from its beginning, unprotected. */
  public LiveVm powerOn() throws SetupException {
    return powerOn(InputJournal.NONE, OutputGate::passingTo);
  }

  /**
   * A machine that starts from its beginning.
   *
   * @param journal is told of every entry
   * @param gate makes the gate from the sink that leads to the backends
   */
  public LiveVm powerOn(InputJournal journal, Function<OutputSink, OutputGate> gate)
      throws SetupException {
    MachineConfig config = machineConfig();
    OutputRelay relay = new OutputRelay();
    return LiveVm.assemble(bootedMachine(config, relay), relay, config, this, journal, gate);
  }

  /**
   * The backends of a machine with these parts. They live as long as the parts: do not close them.
   *
   * @param inputs where they hand in inputs
   */
  public Backends backends(MachineConfig config, InputPort inputs) {
    DeviceLayout layout = DeviceLayout.of(config);
    Backends backends = new Backends(inputs);
    backends.console(DeviceId.UART, console);
    layout.consoles().forEach(device -> backends.console(device, console));
    layout.entropies().forEach(device -> backends.entropy(device, entropy));
    for (int i = 0; i < layout.disks().size() && i < disks.size(); i++) {
      backends.block(layout.disks().get(i), disks.get(i));
    }
    if (net.isPresent()) {
      layout.nets().forEach(device -> backends.net(device, net.get()));
    }
    return backends;
  }

  /** The network card's cable. */
  public Optional<LinkBackend> net() {
    return net;
  }

  /** Ends all I/O. The machine must not run any more. */
  @Override
  public void close() {
    net.ifPresent(LinkBackend::close);
    disks.forEach(BlockBackend::close);
    console.close();
  }
}
