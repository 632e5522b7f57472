package io.lockstep.ft.pair;

import io.lockstep.ft.protocol.ClaimKind;
import io.lockstep.ft.protocol.ClaimResult;
import io.lockstep.ft.protocol.Ending;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.ReplicaId;
import io.lockstep.replay.live.InputPort;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.vm.guest.SmallGuest;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.port.DeviceId;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** What two replicas in one process share: epochs, a disk, a network with one client. */
final class SharedWorld implements Epochs, AutoCloseable {
  private static final int SECTOR = 512;
  private static final int VNET_HEADER = 12;
  private static final long MAC = 0x52_54_00_12_34_56L;
  private static final int DISK = DeviceId.virtio(0);
  private static final int NET = DeviceId.virtio(1);

  static final MachineConfig CONFIG =
      new MachineConfig(
          SmallGuest.RAM_BYTES_MIN * 2,
          ClockMode.HOST,
          Firmware.BUILT_IN,
          0,
          List.of(
              new VirtioSlot.Block((2 << 20) / SECTOR, false, "small"),
              new VirtioSlot.Net(MAC, false)));

  private final TreeMap<Epoch, Owner> epochs = new TreeMap<>();
  private final byte[] disk = new byte[2 << 20];
  private final BlockingQueue<String> replies = new LinkedBlockingQueue<>();
  private final ExecutorService storage = Executors.newSingleThreadExecutor();
  private final StringBuffer console = new StringBuffer();
  private InputPort owner = input -> {};
  private Epoch networkEpoch = Epoch.NONE;

  @Override
  public CompletableFuture<ClaimResult> claim(Epoch epoch, ReplicaId self, ClaimKind kind) {
    return CompletableFuture.supplyAsync(
        () -> {
          Owner now = epochs.computeIfAbsent(epoch, e -> new Owner(e, self, kind));
          return now.replica().equals(self)
              ? new ClaimResult.Won()
              : new ClaimResult.Lost(now.replica(), now.kind());
        },
        storage);
  }

  @Override
  public CompletableFuture<Optional<Owner>> newest() {
    return CompletableFuture.supplyAsync(
        () -> epochs.isEmpty() ? Optional.empty() : Optional.of(epochs.lastEntry().getValue()),
        storage);
  }

  /** The guest's answer to a request, which is repeated until there is one. */
  String ask(int tag, String request) throws InterruptedException {
    for (int tries = 0; tries < 100; tries++) {
      deliver(Datagrams.request("#" + tag + " " + request));
      String reply;
      while ((reply = replies.poll(200, TimeUnit.MILLISECONDS)) != null) {
        if (reply.startsWith("#" + tag + " ")) {
          return reply.substring(reply.indexOf(' ') + 1).trim();
        }
      }
    }
    throw new AssertionError("no reply to '" + request + "'; console: " + console);
  }

  private synchronized void deliver(byte[] frame) {
    owner.offer(
        new Input.PacketArrival(
            NET, ByteBuffer.allocate(VNET_HEADER + frame.length).put(VNET_HEADER, frame).array()));
  }

  /** One side's view. */
  final class Host implements ReplicaHost {
    final CompletableFuture<Ending> ended = new CompletableFuture<>();
    private final String name;

    Host(String name) {
      this.name = name;
    }

    @Override
    public byte[] describeMachine() {
      return "small".getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public NewMachine makeMachine(byte[] description, OutputRelay relay) throws IOException {
      if (!Arrays.equals(description, describeMachine())) {
        throw new IOException("The primary's machine is another one.");
      }
      return new NewMachine(machine(relay), ClockMode.HOST);
    }

    VirtualMachine machine(OutputRelay relay) {
      return new Machine(CONFIG, relay);
    }

    @Override
    public LiveDevices openDevices(
        Epoch epoch, InputPort inputs, List<Output.BlockRequest> rewrite) {
      rewrite.forEach(w -> carryOut(w));
      synchronized (SharedWorld.this) {
        networkEpoch = epoch;
        owner = inputs;
      }
      return new Devices(epoch, inputs);
    }

    @Override
    public void notice(String text) {
      System.out.println(name + ": " + text);
    }

    @Override
    public void ended(Ending ending, String why) {
      System.out.println(name + " ended: " + ending + " " + why);
      ended.complete(ending);
    }
  }

  private byte[] carryOut(Output.BlockRequest request) {
    synchronized (disk) {
      ByteBuffer sectors = ByteBuffer.wrap(disk).position((int) request.sector() * SECTOR);
      byte[] read = new byte[request.op() == Output.BlockOp.READ ? (int) request.length() : 0];
      switch (request.op()) {
        case READ -> sectors.get(read);
        case WRITE -> sectors.put(request.data());
        case FLUSH, DISCARD, WRITE_ZEROES -> {}
      }
      return read;
    }
  }

  private final class Devices implements LiveDevices {
    private final Epoch epoch;
    private final InputPort inputs;

    Devices(Epoch epoch, InputPort inputs) {
      this.epoch = epoch;
      this.inputs = inputs;
    }

    @Override
    public OutputSink outputs() {
      return this::emit;
    }

    private void emit(Output output) {
      switch (output) {
        case Output.ConsoleBytes o ->
            console.append(new String(o.data(), StandardCharsets.US_ASCII));
        case Output.PacketSent o -> {
          synchronized (SharedWorld.this) {
            if (epoch.equals(networkEpoch)) {
              Datagrams.reply(Arrays.copyOfRange(o.frame(), VNET_HEADER, o.frame().length))
                  .ifPresent(replies::add);
            }
          }
        }
        case Output.BlockRequest o -> {
          if (!storage.isShutdown()) {
            storage.execute(
                () ->
                    inputs.offer(
                        new Input.BlockCompletion(
                            DISK, o.requestId(), Input.BlockStatus.OK, carryOut(o))));
          }
        }
        case Output.EntropyRequest o -> throw new AssertionError(o);
      }
    }

    @Override
    public void start() {}

    @Override
    public CompletableFuture<Void> makeStable() {
      return CompletableFuture.runAsync(() -> {}, storage);
    }

    @Override
    public void close() {}
  }

  @Override
  public void close() {
    storage.shutdown();
  }
}
