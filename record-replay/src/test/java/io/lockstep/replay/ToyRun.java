package io.lockstep.replay;

import io.lockstep.replay.live.HostClock;
import io.lockstep.replay.live.InputJournal;
import io.lockstep.replay.live.InputPort;
import io.lockstep.replay.live.OutputGate;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.replay.live.VcpuEnd;
import io.lockstep.replay.live.VcpuLoop;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.sim.ToyMachine;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Runs a toy machine live, with backends on threads of their own that answer, type and send. */
public final class ToyRun implements AutoCloseable {
  /** Digests every 2 ms, whatever they cost. */
  public static final VcpuLoop.Pace PACE = new VcpuLoop.Pace(50_000, 20_000, 1, 20_000);

  public final OutputRelay relay = new OutputRelay();
  public final ToyMachine machine;
  public final List<LogEntry> log = new ArrayList<>();
  public final List<Output> outputs = new ArrayList<>();
  private final ExecutorService world = Executors.newFixedThreadPool(2);
  private final Random random;
  public VcpuLoop loop;

  public ToyRun(long seed, ClockMode mode, long haltAt) {
    random = new Random(seed);
    machine = new ToyMachine(ToyMachine.config(mode), relay);
    machine.load(seed, haltAt);
  }

  public InputJournal inMemory() {
    return entry -> {
      log.add(entry);
      return log.size() - 1L;
    };
  }

  public VcpuLoop loop(ClockMode mode, InputJournal journal, VcpuLoop.Pace pace) {
    loop =
        new VcpuLoop(
            machine,
            relay,
            mode,
            HostClock.startingAt(machine.ticks()),
            journal,
            OutputGate.passingTo(this::answer),
            pace);
    return loop;
  }

  public VcpuEnd run(ClockMode mode) {
    return loop(mode, inMemory(), PACE).run();
  }

  private void answer(Output output) {
    outputs.add(output);
    byte[] data = new byte[1 + random.nextInt(200)];
    random.nextBytes(data);
    InputPort port = loop;
    switch (output) {
      case Output.ConsoleBytes o -> {
        if (data.length < 30) {
          world.execute(() -> port.offer(new Input.ConsoleInput(o.device(), data)));
        }
      }
      case Output.PacketSent o ->
          world.execute(() -> port.offer(new Input.PacketArrival(o.device(), data)));
      case Output.EntropyRequest o ->
          world.execute(
              () ->
                  port.offer(
                      new Input.EntropyDelivery(o.device(), o.requestId(), new byte[o.length()])));
      case Output.BlockRequest o -> {
        byte[] read = o.op() == Output.BlockOp.READ ? new byte[(int) o.length()] : new byte[0];
        random.nextBytes(read);
        world.execute(
            () ->
                port.offer(
                    new Input.BlockCompletion(
                        o.device(), o.requestId(), Input.BlockStatus.OK, read)));
      }
    }
  }

  @Override
  public void close() {
    world.shutdown();
  }
}
