package io.lockstep.host.pair;

import io.lockstep.ft.pair.Replica;
import io.lockstep.ft.protocol.PairConfig;
import io.lockstep.ft.protocol.ReplicaId;
import io.lockstep.ft.protocol.Timing;
import io.lockstep.ft.storage.StorageDirectory;
import io.lockstep.ft.storage.StorageException;
import io.lockstep.host.backend.StreamConsole;
import io.lockstep.host.net.L2Switch;
import io.lockstep.host.net.SwitchAddress;
import io.lockstep.host.net.VirtualSwitch;
import io.lockstep.host.net.gateway.Forward;
import io.lockstep.host.net.gateway.GatewayConfig;
import io.lockstep.host.net.gateway.Outbound;
import io.lockstep.host.vm.NetSpec;
import io.lockstep.host.vm.SetupException;
import io.lockstep.host.vm.VmParts;
import io.lockstep.host.vm.VmSpec;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.vm.guest.SmallGuest;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.function.BooleanSupplier;

/**
 * A pair in miniature within this process: switch, small guest, client, attach, the loss of the
 * primary, go-live. It has no effect outside but a temporary directory that goes with it. What a
 * replica needs in the moment that counts is loaded and warm afterwards.
 */
public final class Rehearsal implements AutoCloseable {
  private static final String NAME = "rehearsal";
  private static final long MAC = 0x52_54_00_00_00_01L;
  private static final long MEMORY = 16 << 20;
  private static final int PATIENCE_MS = 5_000;
  private static final long SUSPECT = 1_000_000_000L;

  private final ScratchDirectory scratch = ScratchDirectory.create("lockstep-rehearsal-");
  private final Path directory = scratch.path();
  private final Deque<AutoCloseable> open = new ArrayDeque<>();
  private SwitchAddress network;

  private Rehearsal() throws IOException {}

  /**
   * Plays it once.
   *
   * @param requests how many the client makes before and after each change
   * @throws IOException if this host does not let it; nothing is left behind then, either
   */
  public static void play(int requests) throws IOException {
    try (Rehearsal rehearsal = new Rehearsal()) {
      rehearsal.playOnce(requests);
    } catch (SetupException | StorageException e) {
      throw new IOException(e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("The rehearsal was interrupted.", e);
    }
  }

  private void playOnce(int requests)
      throws IOException, SetupException, StorageException, InterruptedException {
    Path disk = directory.resolve("disk.raw");
    try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
      file.setLength(SmallGuest.DISK_BYTES_MIN);
    }
    VirtualSwitch network = startSwitch();
    Replica primary = side(disk, Optional.empty());
    try (Socket socket = connect(network.forwards().getFirst().hostPort());
        BufferedReader in =
            new BufferedReader(
                new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII))) {
      OutputStream out = socket.getOutputStream();
      exchange(out, in, requests);
      Replica secondary = side(disk, Optional.of(primary.listening()));
      await(() -> secondary.status().protocol().isProtected());
      exchange(out, in, requests);
      primary.abort();
      exchange(out, in, requests);
    }
  }

  private VirtualSwitch startSwitch() throws IOException {
    VirtualSwitch started =
        VirtualSwitch.start(
            new VirtualSwitch.Config(
                List.of(SwitchAddress.parse("127.0.0.1:0")),
                Optional.empty(),
                Optional.of(
                    GatewayConfig.of(
                        Outbound.NONE,
                        List.of(Forward.parse("tcp:0:10.0.2.15:" + SmallGuest.PORT)))),
                Optional.empty(),
                Optional.empty(),
                L2Switch.Limits.DEFAULT));
    open.push(started);
    network = started.addresses().getFirst();
    return started;
  }

  /** A primary, or the secondary of one that listens at an address. */
  private Replica side(Path disk, Optional<InetSocketAddress> primary)
      throws IOException, SetupException, StorageException {
    ReplicaId self = new ReplicaId(UUID.randomUUID());
    InetSocketAddress listen = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    StorageDirectory storage = StorageDirectory.open(directory.resolve("storage"), NAME);
    StorageEpochs epochs = keep(new StorageEpochs(storage, self));
    ReplicaLogs logs = keep(new ReplicaLogs(Optional.of(directory.resolve("log-" + self))));
    VmSpec spec = spec(disk);
    List<DiskSource> disks =
        SharedDisks.open(
            storage,
            epochs.store(),
            spec.disks(),
            primary.isEmpty() ? SharedDisks.Side.PRIMARY : SharedDisks.Side.SECONDARY,
            line -> {});
    PairHost.Wiring wiring =
        new PairHost.Wiring(
            NAME,
            disks,
            Optional.of(NetworkCard.cable(spec.net().orElseThrow())),
            new StreamConsole(OutputStream.nullOutputStream(), StreamConsole.WhenFull.DROP),
            line -> {},
            (ending, why) -> {});
    if (primary.isPresent()) {
      PairHost host = PairHost.ofSecondary(wiring);
      open.push(host::close);
      return keepReplica(Replica.join(setup(self, "", listen, primary), host, epochs, logs));
    }
    MachineConfig config =
        VmParts.machineConfig(spec, disks.stream().map(DiskSource::sectors).toList());
    OutputRelay relay = new OutputRelay();
    Machine machine = VmParts.bootedMachine(spec, config, relay);
    PairHost host = PairHost.ofPrimary(wiring, config);
    open.push(host::close);
    return keepReplica(
        Replica.start(
            setup(self, machine.definition(), listen, primary),
            host,
            epochs,
            logs,
            machine,
            relay,
            config.clock(),
            epochs.newestEpoch()));
  }

  private static Replica.Setup setup(
      ReplicaId self,
      String definition,
      InetSocketAddress listen,
      Optional<InetSocketAddress> primary) {
    PairConfig pair =
        new PairConfig(NAME, definition, self, "", Timing.DEFAULT.withSuspect(SUSPECT));
    return new Replica.Setup(pair, listen, primary, Optional.empty());
  }

  private VmSpec spec(Path disk) {
    return new VmSpec(
        MEMORY,
        MachineConfig.ClockMode.HOST,
        0,
        new VmSpec.BootSpec(
            Optional.empty(), Optional.empty(), Optional.empty(), "beat_ms=20 rto_min_ms=20"),
        List.of(new VmSpec.DiskSpec(disk, false, NAME)),
        Optional.of(
            new NetSpec(
                MAC, new NetSpec.Cable.ToSwitch(network, Optional.empty()), Optional.empty())),
        true,
        false);
  }

  private <T extends AutoCloseable> T keep(T resource) {
    open.push(resource);
    return resource;
  }

  private Replica keepReplica(Replica replica) {
    open.push(replica::abort);
    return replica;
  }

  private static Socket connect(int port) throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setTcpNoDelay(true);
    socket.setSoTimeout(PATIENCE_MS);
    return socket;
  }

  private static void exchange(OutputStream out, BufferedReader in, int requests)
      throws IOException {
    for (int i = 1; i <= requests; i++) {
      out.write(("ADD " + NAME + " 1\n").getBytes(StandardCharsets.US_ASCII));
      if (in.readLine() == null) {
        throw new IOException("The small guest of the rehearsal does not answer.");
      }
    }
  }

  private static void await(BooleanSupplier condition) throws IOException, InterruptedException {
    for (int ms = 0; !condition.getAsBoolean(); ms++) {
      if (ms > PATIENCE_MS) {
        throw new IOException("The rehearsal's secondary did not come up.");
      }
      Thread.sleep(1);
    }
  }

  @Override
  public void close() throws IOException {
    while (!open.isEmpty()) {
      try {
        open.pop().close();
      } catch (Exception e) {
        throw new IOException("The rehearsal cannot be cleaned up: " + e.getMessage(), e);
      }
    }
    scratch.close();
  }
}
