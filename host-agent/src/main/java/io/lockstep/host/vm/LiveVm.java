package io.lockstep.host.vm;

import io.lockstep.replay.live.Backends;
import io.lockstep.replay.live.HostClock;
import io.lockstep.replay.live.InputJournal;
import io.lockstep.replay.live.OutputGate;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.replay.live.VcpuEnd;
import io.lockstep.replay.live.VcpuLoop;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.port.OutputSink;
import java.util.concurrent.ExecutionException;
import java.util.function.Function;

/**
 * One life of a virtual machine on this host: the machine, the loop that runs it, and its backends.
 * From power-on ({@link VmParts#powerOn}) or from any later point, as when a secondary goes live.
 *
 * <pre>
 *   backends --inputs--> loop --journal--> log
 *      ^                   | machine
 *      +---- gate <--------+ outputs
 * </pre>
 */
public final class LiveVm {
  private final VirtualMachine machine;
  private final VcpuLoop loop;
  private final Backends backends;

  private LiveVm(VirtualMachine machine, VcpuLoop loop, Backends backends) {
    this.machine = machine;
    this.loop = loop;
    this.backends = backends;
  }

  /**
   * Puts a machine together with its loop and backends; nothing runs yet.
   *
   * @param machine at any point of its life, with {@code relay} as its sink
   * @param config the machine's
   * @param parts have the backends
   * @param journal is told of every entry
   * @param gate makes the gate from the sink that leads to the backends
   */
  public static LiveVm assemble(
      VirtualMachine machine,
      OutputRelay relay,
      MachineConfig config,
      VmParts parts,
      InputJournal journal,
      Function<OutputSink, OutputGate> gate) {
    VcpuLoop loop =
        new VcpuLoop(
            machine,
            relay,
            config.clock(),
            HostClock.startingAt(machine.ticks()),
            journal,
            OutputGate.passingTo(OutputSink.NONE),
            VcpuLoop.Pace.DEFAULT);
    Backends backends = parts.backends(config, loop);
    loop.useGate(gate.apply(backends));
    return new LiveVm(machine, loop, backends);
  }

  /** The loop, to pause, throttle, ask or stop it. */
  public VcpuLoop loop() {
    return loop;
  }

  /** The machine. To be touched on the vCPU thread only. */
  public VirtualMachine machine() {
    return machine;
  }

  /**
   * How many typed bytes a console's device keeps for the guest; waits for the vCPU thread. 0 once
   * the machine has stopped.
   */
  public int consoleBacklog(int device) {
    try {
      return loop.execute(() -> machine.consoleBacklog(device)).get();
    } catch (ExecutionException e) {
      return 0;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return 0;
    }
  }

  /**
   * Starts the backends and runs the machine on the calling thread, until it halts or is stopped.
   */
  public VcpuEnd run() {
    backends.start();
    return loop.run();
  }
}
