package io.lockstep.cli;

import io.lockstep.cli.console.ConsoleSession;
import io.lockstep.cli.console.EscapeKeys;
import io.lockstep.ft.pair.Replica;
import io.lockstep.ft.pair.ReplicaStatus;
import io.lockstep.ft.protocol.Ending;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.ReplicaId;
import io.lockstep.ft.storage.StorageDirectory;
import io.lockstep.ft.storage.StorageException;
import io.lockstep.host.control.ControlServer;
import io.lockstep.host.pair.DiskSource;
import io.lockstep.host.pair.NetworkCard;
import io.lockstep.host.pair.PairHost;
import io.lockstep.host.pair.Rehearsal;
import io.lockstep.host.pair.ReplicaLogs;
import io.lockstep.host.pair.SharedDisks;
import io.lockstep.host.pair.StorageEpochs;
import io.lockstep.host.vm.NetSpec;
import io.lockstep.host.vm.SetupException;
import io.lockstep.host.vm.VmParts;
import io.lockstep.host.vm.VmSpec;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A process that holds one replica of a protected machine, from its start to its end. */
final class ReplicaProcess implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ReplicaProcess.class);
  private static final int REHEARSAL_REQUESTS = 100;

  private final PairOptions options;
  private final PrintWriter err;
  private final ReplicaId self = PairOptions.newReplica();
  private final ConsoleSession console = new ConsoleSession(null);
  private final CompletableFuture<End> end = new CompletableFuture<>();
  private final EndBySignal onSignal =
      new EndBySignal("replica-shutdown", this::closeReplica, console);
  private StorageEpochs epochs;
  private ReplicaLogs logs;
  private PairHost host;
  private ControlServer control;
  private volatile Replica replica;

  private record End(Ending ending, String why) {}

  ReplicaProcess(PairOptions options, PrintWriter err) {
    this.options = options;
    this.err = err;
  }

  /** Starts a machine as the primary of a pair, and runs it to its end. Returns the exit status. */
  int runPrimary(VmSpec spec, InetSocketAddress listen) throws SetupException {
    try {
      List<DiskSource> disks = openStorage(spec.disks(), SharedDisks.Side.PRIMARY);
      MachineConfig config =
          VmParts.machineConfig(spec, disks.stream().map(DiskSource::sectors).toList());
      OutputRelay relay = new OutputRelay();
      Machine machine = VmParts.bootedMachine(spec, config, relay);
      host = PairHost.ofPrimary(wiring(disks, spec.net()), config);
      Epoch newest = epochs.newestEpoch();
      replica =
          Replica.start(
              setup(machine.definition(), listen, Optional.empty()),
              host,
              epochs,
              logs,
              machine,
              relay,
              config.clock(),
              newest);
      return waitForEnd("primary");
    } catch (IOException e) {
      throw new UserError(e.getMessage(), e);
    }
  }

  /** Joins a primary as its secondary, and stays until its end. Returns the exit status. */
  int runSecondary(
      InetSocketAddress primary,
      InetSocketAddress listen,
      List<VmSpec.DiskSpec> disks,
      Optional<NetSpec> net)
      throws SetupException {
    try {
      host = PairHost.ofSecondary(wiring(openStorage(disks, SharedDisks.Side.SECONDARY), net));
      rehearse();
      replica = Replica.join(setup("", listen, Optional.of(primary)), host, epochs, logs);
      return waitForEnd("secondary");
    } catch (IOException e) {
      throw new UserError(e.getMessage(), e);
    }
  }

  /**
   * What this process will do in the moment that counts it does once before, so that it is loaded
   * and compiled by then. Nothing depends on it.
   */
  private void rehearse() {
    try {
      Rehearsal.play(REHEARSAL_REQUESTS);
    } catch (IOException e) {
      LOG.info("Going live was not rehearsed: {}", e.getMessage());
    }
  }

  private Replica.Setup setup(
      String definition, InetSocketAddress listen, Optional<InetSocketAddress> primary) {
    return new Replica.Setup(
        options.pairConfig(self, definition, listen), listen, primary, options.tls());
  }

  private List<DiskSource> openStorage(List<VmSpec.DiskSpec> disks, SharedDisks.Side side)
      throws IOException, SetupException {
    try {
      StorageDirectory storage = StorageDirectory.open(options.storage(), options.name());
      epochs = new StorageEpochs(storage, self);
      logs = new ReplicaLogs(options.logDirectory());
      return SharedDisks.open(storage, epochs.store(), disks, side, this::tell);
    } catch (StorageException e) {
      throw new SetupException(e.getMessage(), e);
    }
  }

  private PairHost.Wiring wiring(List<DiskSource> disks, Optional<NetSpec> net)
      throws IOException, SetupException {
    Optional<NetworkCard.Cable> cable =
        net.isPresent() ? Optional.of(NetworkCard.cable(net.get())) : Optional.empty();
    return new PairHost.Wiring(
        options.name(),
        disks,
        cable,
        console.console(),
        this::tell,
        (e, why) -> end.complete(new End(e, why)));
  }

  private int waitForEnd(String role) throws IOException {
    onSignal.arm();
    control = ControlServer.start(this::answer);
    console.start(_ -> 0, this::obey);
    InetSocketAddress at = replica.listening();
    err.printf(
        "{\"event\":\"ready\",\"pid\":%d,\"role\":\"%s\",\"listen\":\"%s:%d\"}%n",
        ProcessHandle.current().pid(), role, at.getAddress().getHostAddress(), at.getPort());
    err.flush();
    End last = end.join();
    return switch (last.ending()) {
      case GUEST_HALTED, OPERATOR -> ExitStatus.OK;
      case FENCED, DROPPED, NOT_ATTACHED, DIVERGED, STORE_FAILED, GO_LIVE_FAILED -> {
        tell(last.why());
        yield ExitStatus.FAILURE;
      }
    };
  }

  private void obey(EscapeKeys.Command key) {
    switch (key) {
      case QUIT -> replica.close();
      case STATS -> tell(status());
      case HELP -> tell(EscapeKeys.HELP);
      case POWER_BUTTON -> {
        if (!host.pressPowerButton()) {
          tell("This is the secondary: press the power button on the primary's terminal.");
        }
      }
    }
  }

  private String answer(String request) {
    switch (request) {
      case "status" -> {
        return status();
      }
      case "switch-over" -> replica.switchOver();
      case "detach" -> replica.detach();
      case "stop" -> replica.close();
      default -> {
        return "{\"error\":\"unknown request\"}";
      }
    }
    return "{\"ok\":true}";
  }

  private String status() {
    ReplicaStatus s = replica.status();
    InetSocketAddress at = replica.listening();
    return String.format(
        Locale.ROOT,
        "{\"pid\":%d,\"name\":\"%s\",\"role\":\"%s\",\"epoch\":%d,\"protected\":%b,\"lag_ms\":%.3f,\"lag_entries\":%d,"
            + "\"throttle\":%.3f,\"held_outputs\":%d,\"held_bytes\":%d,\"log_bytes\":%d,\"log_lsn\":%d,\"attach_stop_ms\":%.1f,\"listen\":\"%s:%d\"}",
        ProcessHandle.current().pid(),
        options.name().replace("\\", "\\\\").replace("\"", "\\\""),
        roleName(s.protocol().role().getSimpleName()),
        s.protocol().epoch(),
        s.protocol().isProtected(),
        s.protocol().lagNanos() / 1e6,
        s.protocol().lagEntries(),
        s.protocol().throttle(),
        s.heldOutputs(),
        s.heldBytes(),
        s.logBytes(),
        s.protocol().logNext(),
        s.attachStopNanos() / 1e6,
        at.getAddress().getHostAddress(),
        at.getPort());
  }

  /** CatchingUp becomes catching-up. */
  private static String roleName(String className) {
    return className.replaceAll("(?<=[a-z])(?=[A-Z])", "-").toLowerCase(Locale.ROOT);
  }

  private void tell(String line) {
    err.println("lockstep: " + line);
    err.flush();
  }

  private void closeReplica() {
    Replica r = replica;
    if (r != null) {
      r.close();
    }
  }

  @Override
  public void close() {
    if (control != null) {
      control.close();
    }
    if (host != null) {
      host.close();
    }
    if (logs != null) {
      logs.close();
    }
    if (epochs != null) {
      epochs.close();
    }
    console.close();
    onSignal.close();
  }
}
