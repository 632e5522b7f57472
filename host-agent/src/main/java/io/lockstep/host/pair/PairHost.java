package io.lockstep.host.pair;

import io.lockstep.ft.pair.LiveDevices;
import io.lockstep.ft.pair.ReplicaHost;
import io.lockstep.ft.protocol.Ending;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.host.backend.HostEntropy;
import io.lockstep.host.vm.DeviceLayout;
import io.lockstep.replay.live.Backends;
import io.lockstep.replay.live.BlockBackend;
import io.lockstep.replay.live.ConsoleBackend;
import io.lockstep.replay.live.InputPort;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.port.DeviceId;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * What this host gives a replica: a machine, and when it goes live the real disks, network and
 * console.
 */
public final class PairHost implements ReplicaHost {
  private static final byte[] NOTHING = {};

  /**
   * What is fixed from the start.
   *
   * @param vm the virtual machine's name
   * @param disks in the guest's order
   * @param cable of the network card, if the machine has one; a machine with one but no cable here
   *     is cut off
   * @param console of the UART and of virtio consoles
   * @param notices gets lines for the operator
   * @param ended is told once why the replica stopped for good
   */
  public record Wiring(
      String vm,
      List<DiskSource> disks,
      Optional<NetworkCard.Cable> cable,
      ConsoleBackend console,
      Consumer<String> notices,
      BiConsumer<Ending, String> ended) {
    /** Copies. */
    public Wiring {
      disks = List.copyOf(disks);
    }
  }

  private final Wiring wiring;
  private final Map<Integer, NetworkCard> cards = new HashMap<>();
  private MachineConfig config;

  /** Where inputs of a machine go that is live here; empty while it is not. */
  private volatile Optional<InputPort> live = Optional.empty();

  private PairHost(Wiring wiring) {
    this.wiring = wiring;
  }

  /** The host of a primary, whose machine is known. */
  public static PairHost ofPrimary(Wiring wiring, MachineConfig config) {
    PairHost host = new PairHost(wiring);
    host.useConfig(config);
    return host;
  }

  /** The host of a secondary, which learns of its machine from the primary. */
  public static PairHost ofSecondary(Wiring wiring) {
    return new PairHost(wiring);
  }

  private synchronized void useConfig(MachineConfig next) {
    config = next;
    for (int slot = 0; slot < next.virtio().size(); slot++) {
      int device = DeviceId.virtio(slot);
      if (next.virtio().get(slot) instanceof VirtioSlot.Net net
          && wiring.cable().isPresent()
          && !cards.containsKey(device)) {
        cards.put(
            device,
            new NetworkCard(wiring.cable().get(), wiring.vm(), net.mac(), wiring.notices()));
      }
    }
  }

  @Override
  public synchronized byte[] describeMachine() {
    return MachineDescription.encode(config);
  }

  @Override
  public NewMachine makeMachine(byte[] description, OutputRelay relay) throws IOException {
    MachineConfig described = MachineDescription.decode(description);
    checkDisks(described);
    try {
      Machine machine = new Machine(described, relay);
      useConfig(described);
      return new NewMachine(machine, described.clock());
    } catch (OutOfMemoryError e) {
      throw new IOException(
          "This host has not enough free memory for a guest with %d MiB; close other programs."
              .formatted(described.memoryBytes() >> 20),
          e);
    }
  }

  private void checkDisks(MachineConfig described) throws IOException {
    List<Long> wanted = new ArrayList<>();
    for (VirtioSlot slot : described.virtio()) {
      if (slot instanceof VirtioSlot.Block block) {
        wanted.add(block.sectors());
      }
    }
    List<Long> here = wiring.disks().stream().map(DiskSource::sectors).toList();
    if (!wanted.equals(here)) {
      throw new IOException(
          "The primary's machine has disks of %s sectors, here are disks of %s; give the same --storage and --disk on both sides."
              .formatted(wanted, here));
    }
  }

  @Override
  public synchronized LiveDevices openDevices(
      Epoch epoch, InputPort inputs, List<Output.BlockRequest> rewrite) throws IOException {
    DeviceLayout layout = DeviceLayout.of(config);
    Map<Integer, BlockBackend> disks = new HashMap<>();
    boolean done = false;
    try {
      for (int i = 0; i < layout.disks().size(); i++) {
        disks.put(layout.disks().get(i), wiring.disks().get(i).open(epoch));
      }
      rewrite(disks, rewrite);
      done = true;
    } finally {
      if (!done) {
        disks.values().forEach(BlockBackend::close);
      }
    }
    HostEntropy entropy = new HostEntropy();
    Backends backends = new Backends(inputs);
    backends.console(DeviceId.UART, wiring.console());
    layout.consoles().forEach(device -> backends.console(device, wiring.console()));
    layout.entropies().forEach(device -> backends.entropy(device, entropy));
    disks.forEach(backends::block);
    cards.forEach((device, card) -> backends.net(device, card.backend()));
    live = Optional.of(inputs);
    return new Devices(epoch, backends, disks, List.copyOf(cards.values()));
  }

  /** Asks the guest to shut down. Returns whether the machine is live here. */
  public boolean pressPowerButton() {
    Optional<InputPort> machine = live;
    machine.ifPresent(port -> port.offer(new Input.Control(Input.ControlKind.POWER_BUTTON)));
    return machine.isPresent();
  }

  private static void rewrite(Map<Integer, BlockBackend> disks, List<Output.BlockRequest> requests)
      throws IOException {
    List<CompletableFuture<Void>> done = new ArrayList<>();
    for (Output.BlockRequest request : requests) {
      done.add(carryOut(disks.get(request.device()), request));
    }
    try {
      CompletableFuture.allOf(done.toArray(CompletableFuture[]::new)).get();
    } catch (ExecutionException e) {
      throw new IOException(
          "The disk refused writes that had been done before (%s); is the storage full or read-only?"
              .formatted(e.getCause().getMessage()),
          e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("Going live was interrupted.", e);
    }
  }

  private static CompletableFuture<Void> carryOut(BlockBackend disk, Output.BlockRequest request) {
    CompletableFuture<Void> done = new CompletableFuture<>();
    disk.submit(
        request,
        input -> {
          if (input instanceof Input.BlockCompletion c && c.status() == Input.BlockStatus.OK) {
            done.complete(null);
          } else {
            done.completeExceptionally(new IOException("a request failed"));
          }
        });
    return done;
  }

  /** The devices of a machine that is live here. */
  private final class Devices implements LiveDevices {
    private final Epoch epoch;
    private final Backends backends;
    private final Map<Integer, BlockBackend> disks;
    private final List<NetworkCard> cards;

    Devices(
        Epoch epoch, Backends backends, Map<Integer, BlockBackend> disks, List<NetworkCard> cards) {
      this.epoch = epoch;
      this.backends = backends;
      this.disks = disks;
      this.cards = cards;
    }

    @Override
    public OutputSink outputs() {
      return backends;
    }

    @Override
    public void start() {
      backends.start();
      // Last: who has waited for the machine sends at once, and now nothing of that is lost.
      cards.forEach(card -> card.claim(epoch));
    }

    @Override
    public CompletableFuture<Void> makeStable() {
      List<CompletableFuture<Void>> all = new ArrayList<>();
      disks.forEach(
          (device, disk) ->
              all.add(
                  carryOut(
                      disk,
                      new Output.BlockRequest(device, -1, Output.BlockOp.FLUSH, 0, 0, NOTHING))));
      return CompletableFuture.allOf(all.toArray(CompletableFuture[]::new));
    }

    @Override
    public void close() {
      live = Optional.empty();
      disks.values().forEach(BlockBackend::close);
    }
  }

  @Override
  public void notice(String text) {
    wiring.notices().accept(text);
  }

  @Override
  public void ended(Ending ending, String why) {
    wiring.ended().accept(ending, why);
  }

  /** Lets go of the network and the disks. */
  public synchronized void close() {
    cards.values().forEach(NetworkCard::close);
    wiring.disks().forEach(DiskSource::close);
  }
}
