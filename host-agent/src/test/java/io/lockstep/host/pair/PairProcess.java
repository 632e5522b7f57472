package io.lockstep.host.pair;

import io.lockstep.ft.pair.LiveDevices;
import io.lockstep.ft.pair.LogFile;
import io.lockstep.ft.pair.Replica;
import io.lockstep.ft.pair.ReplicaHost;
import io.lockstep.ft.protocol.Ending;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.PairConfig;
import io.lockstep.ft.protocol.ReplicaId;
import io.lockstep.ft.protocol.Timing;
import io.lockstep.ft.storage.EpochStore;
import io.lockstep.ft.storage.StorageDirectory;
import io.lockstep.host.net.SwitchAddress;
import io.lockstep.host.net.SwitchClient;
import io.lockstep.replay.live.Backends;
import io.lockstep.replay.live.BlockBackend;
import io.lockstep.replay.live.InputPort;
import io.lockstep.replay.live.NetBackend;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.replay.store.LogStoreWriter;
import io.lockstep.replay.store.SyncPolicy;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.guest.SmallGuest;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.port.DeviceId;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * One replica of the small guest in a process of its own, to be killed by a test. Arguments: {@code
 * start|join}, directory, switch address, own port, the primary's port. Tells what happens on its
 * standard output.
 */
final class PairProcess implements ReplicaHost {
  private static final int SECTOR = 512;
  private static final long DISK_BYTES = 4 << 20;
  private static final long MAC = 0x52_54_00_12_34_56L;
  private static final int DISK = DeviceId.virtio(0);
  private static final int NET = DeviceId.virtio(1);
  private static final MachineConfig CONFIG =
      new MachineConfig(
          32 << 20,
          ClockMode.HOST,
          Firmware.BUILT_IN,
          0,
          List.of(
              new VirtioSlot.Block(DISK_BYTES / SECTOR, false, "small"),
              new VirtioSlot.Net(MAC, false)));

  private final Path directory;
  private final SwitchClient port;
  private volatile InputPort arrivals = input -> {};

  private PairProcess(Path directory, SwitchAddress network) {
    this.directory = directory;
    SwitchClient.Config config =
        new SwitchClient.Config(network, Optional.empty(), new UUID(1, 1), MAC, 0);
    this.port = SwitchClient.secondary(config, this::arrived);
  }

  public static void main(String[] args) throws Exception {
    Path directory = Path.of(args[1]);
    PairProcess process = new PairProcess(directory, SwitchAddress.parse(args[2]));
    ReplicaId self = new ReplicaId(UUID.randomUUID());
    EpochStore store =
        new EpochStore(
            StorageDirectory.open(directory.resolve("storage"), "small"),
            self,
            "test",
            Duration.ofSeconds(2));
    StorageEpochs epochs = new StorageEpochs(store);
    int own = Integer.parseInt(args[3]);
    Timing timing = Timing.DEFAULT.withSuspect(1_500_000_000L);
    PairConfig pair = new PairConfig("small", "", self, "127.0.0.1:" + own, timing);
    InetSocketAddress listen = new InetSocketAddress(InetAddress.getLoopbackAddress(), own);
    LogFile.Factory logs = id -> process.log(self, id);
    Replica replica;
    if (args[0].equals("start")) {
      OutputRelay relay = new OutputRelay();
      Machine machine = new Machine(CONFIG, relay);
      machine.boot(
          KernelLoader.Images.of(SmallGuest.elf(), new byte[0]),
          "beat_ms=200 rto_min_ms=20 dirty_kb=1000");
      Epoch newest = epochs.newest().get().map(o -> o.epoch()).orElse(Epoch.NONE);
      Replica.Setup setup = new Replica.Setup(pair, listen, Optional.empty(), Optional.empty());
      replica = Replica.start(setup, process, epochs, logs, machine, relay, ClockMode.HOST, newest);
    } else {
      InetSocketAddress primary =
          new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[4]));
      Replica.Setup setup = new Replica.Setup(pair, listen, Optional.of(primary), Optional.empty());
      replica = Replica.join(setup, process, epochs, logs);
    }
    boolean told = false;
    while (true) {
      Thread.sleep(5);
      boolean now = replica.status().protocol().isProtected();
      if (now != told) {
        told = now;
        process.notice(
            now
                ? "PROTECTED " + replica.status().protocol().role().getSimpleName()
                : "UNPROTECTED");
      }
    }
  }

  private LogFile log(ReplicaId self, long id) throws IOException {
    LogStoreWriter writer =
        new LogStoreWriter(directory.resolve("log-" + self + "-" + id), SyncPolicy.NEVER);
    writer.write(new byte[0], 0, -1);
    return new LogFile() {
      @Override
      public void write(byte[] bytes, int length, long lastLsn) throws IOException {
        writer.write(bytes, length, lastLsn);
      }

      @Override
      public void close() throws IOException {
        writer.close();
      }
    };
  }

  private void arrived(byte[] data, int offset, int length) {
    arrivals.offer(new Input.PacketArrival(NET, Arrays.copyOfRange(data, offset, offset + length)));
  }

  @Override
  public byte[] describeMachine() {
    return new byte[] {1};
  }

  @Override
  public NewMachine makeMachine(byte[] description, OutputRelay relay) {
    return new NewMachine(new Machine(CONFIG, relay), ClockMode.HOST);
  }

  @Override
  public LiveDevices openDevices(Epoch epoch, InputPort inputs, List<Output.BlockRequest> rewrite)
      throws IOException {
    RawDisk disk = new RawDisk(directory.resolve("disk.raw"));
    rewrite.forEach(disk::perform);
    arrivals = inputs;
    port.claim(epoch.number());
    Backends backends = new Backends(inputs).block(DISK, disk).net(NET, new Cable());
    return new LiveDevices() {
      @Override
      public OutputSink outputs() {
        return backends;
      }

      @Override
      public void start() {
        backends.start();
      }

      @Override
      public CompletableFuture<Void> makeStable() {
        return CompletableFuture.runAsync(disk::force, disk.thread);
      }

      @Override
      public void close() {
        backends.close();
      }
    };
  }

  private final class Cable implements NetBackend {
    @Override
    public void start(int device, InputPort inputs) {}

    @Override
    public void send(byte[] frame) {
      port.send(frame, 0, frame.length);
    }

    @Override
    public void close() {}
  }

  /** The disk's image as it is: enough where no stale process lives on. */
  private static final class RawDisk implements BlockBackend {
    private final FileChannel image;
    private final ExecutorService thread = Executors.newSingleThreadExecutor();

    RawDisk(Path path) throws IOException {
      image = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    @Override
    public long sectors() {
      return DISK_BYTES / SECTOR;
    }

    @Override
    public void submit(Output.BlockRequest request, InputPort completions) {
      thread.execute(() -> completions.offer(perform(request)));
    }

    Input.BlockCompletion perform(Output.BlockRequest r) {
      byte[] read = new byte[r.op() == Output.BlockOp.READ ? (int) r.length() : 0];
      try {
        switch (r.op()) {
          case READ -> image.read(ByteBuffer.wrap(read), r.sector() * SECTOR);
          case WRITE -> image.write(ByteBuffer.wrap(r.data()), r.sector() * SECTOR);
          case FLUSH -> image.force(false);
          case DISCARD, WRITE_ZEROES ->
              image.write(ByteBuffer.allocate((int) r.length()), r.sector() * SECTOR);
        }
      } catch (IOException e) {
        return new Input.BlockCompletion(
            r.device(), r.requestId(), Input.BlockStatus.IO_ERROR, new byte[0]);
      }
      return new Input.BlockCompletion(r.device(), r.requestId(), Input.BlockStatus.OK, read);
    }

    void force() {
      try {
        image.force(false);
      } catch (IOException e) {
        throw new java.io.UncheckedIOException(e);
      }
    }

    @Override
    public void close() {
      thread.shutdown();
    }
  }

  @Override
  public void notice(String text) {
    System.out.println(text);
  }

  @Override
  public void ended(Ending ending, String why) {
    System.out.println("ENDED " + ending + " " + why);
    System.exit(3);
  }
}
