package io.lockstep.vm.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.engine.EngineOptions;
import io.lockstep.vm.firmware.BootException;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.machine.VirtualMachine.Stop;
import io.lockstep.vm.port.DeviceId;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** A hostile kernel on a machine with every device, in a world that is no better. */
final class HostileWorld {
  private static final int INTERVALS = 30;
  private static final long INTERVAL = 8000;
  private static final int DIGEST_EVERY = 5;
  private static final int REQUESTS_KEPT = 200;
  private static final byte[] NONE = {};

  /** A step writes one register; no register makes more outputs than a ring has entries. */
  private static final long OUTPUTS_PER_STEP_MAX = 1024;

  private static final int UART = DeviceId.UART;
  private static final int BLOCK = DeviceId.virtio(0);
  private static final int NET = DeviceId.virtio(1);
  private static final int CONSOLE = DeviceId.virtio(2);
  private static final int ENTROPY = DeviceId.virtio(3);

  private final Random random;
  private final Machine machine;
  private final boolean boots;
  private final ArrayDeque<Output> requests = new ArrayDeque<>();
  private final List<String> history = new ArrayList<>();
  private long outputs;

  HostileWorld(long seed, EngineOptions options) {
    // Neighbouring seeds begin alike.
    random = new Random(seed * 0x9e37_79b9_7f4a_7c15L);
    boolean machineMode = random.nextBoolean();
    byte[] kernel = HostileKernel.make(random, machineMode);
    MachineConfig config =
        new MachineConfig(
            HostileKernel.MEMORY,
            random.nextBoolean() ? ClockMode.INSTRUCTIONS : ClockMode.HOST,
            machineMode ? Firmware.GUEST : Firmware.BUILT_IN,
            random.nextLong(),
            List.of(
                new VirtioSlot.Block(1000, random.nextBoolean(), "hostile"),
                new VirtioSlot.Net(42, random.nextBoolean()),
                new VirtioSlot.Console(),
                new VirtioSlot.Entropy(),
                new VirtioSlot.Empty()));
    machine = new Machine(config, this::take, options);
    boots = boot(machineMode, kernel);
  }

  private boolean boot(boolean machineMode, byte[] kernel) {
    try {
      machine.boot(
          machineMode
              ? new KernelLoader.Images(NONE, NONE, kernel)
              : KernelLoader.Images.of(kernel, NONE),
          "");
      return true;
    } catch (BootException e) {
      history.add(e.getMessage());
      return false;
    }
  }

  private void take(Output output) {
    outputs++;
    switch (output) {
      case Output.BlockRequest b -> keep(b);
      case Output.EntropyRequest e -> keep(e);
      case Output.ConsoleBytes c -> assertThat(c.data().length).isLessThanOrEqualTo(1 << 20);
      case Output.PacketSent p -> assertThat(p.frame().length).isLessThanOrEqualTo(1 << 20);
    }
  }

  private void keep(Output request) {
    if (requests.size() < REQUESTS_KEPT) {
      requests.add(request);
    }
  }

  /** Runs to the end of the world. With a source of disturbance: in pieces, and dropping caches. */
  void run(Random disturbance) {
    for (int i = 0; boots && i < INTERVALS; i++) {
      long start = machine.steps();
      long before = outputs;
      Stop stop = runInterval(start + INTERVAL, disturbance);
      assertThat(machine.steps()).isBetween(start, start + INTERVAL);
      assertThat(outputs - before).isLessThanOrEqualTo(INTERVAL * OUTPUTS_PER_STEP_MAX);
      if (stop == Stop.HALTED) {
        break;
      }
      for (int k = random.nextInt(4); k > 0; k--) {
        machine.apply(input());
      }
      if (i % DIGEST_EVERY == 0) {
        history.add("%d:%016x".formatted(machine.steps(), machine.digest()));
      }
    }
    history.add("%d:%016x:%d".formatted(machine.steps(), machine.digest(), outputs));
  }

  private Stop runInterval(long limit, Random disturbance) {
    if (disturbance == null) {
      return machine.run(limit);
    }
    Stop stop = Stop.LIMIT;
    while (machine.steps() < limit && stop == Stop.LIMIT) {
      stop = machine.run(Math.min(limit, machine.steps() + 1 + disturbance.nextInt(800)));
      if (disturbance.nextInt(4) == 0) {
        machine.dropCaches();
      }
    }
    return stop;
  }

  private Input input() {
    return switch (random.nextInt(8)) {
      case 0 -> new Input.PacketArrival(NET, bytes(2000));
      case 1 -> new Input.ConsoleInput(random.nextBoolean() ? UART : CONSOLE, bytes(100));
      case 2 -> clockReading();
      case 3 ->
          new Input.Control(
              random.nextBoolean()
                  ? Input.ControlKind.POWER_BUTTON
                  : Input.ControlKind.FLUSH_TRANSLATIONS);
      case 4 -> new Input.EntropyDelivery(ENTROPY, random.nextInt(20), bytes(100));
      default -> answer();
    };
  }

  private Input clockReading() {
    long ticks = machine.ticks() + random.nextInt(1_000_000);
    return new Input.ClockReading(ticks, random.nextLong(1L << 33), ticks + random.nextInt(1000));
  }

  private Input answer() {
    Output request = requests.poll();
    return switch (request) {
      case Output.BlockRequest b -> {
        boolean read = b.op() == Output.BlockOp.READ && random.nextInt(4) != 0;
        yield read
            ? new Input.BlockCompletion(
                b.device(), b.requestId(), Input.BlockStatus.OK, new byte[(int) b.length()])
            : new Input.BlockCompletion(
                b.device(), b.requestId(), Input.BlockStatus.IO_ERROR, NONE);
      }
      case Output.EntropyRequest e ->
          new Input.EntropyDelivery(e.device(), e.requestId(), bytes(e.length()));
      case null, default ->
          new Input.BlockCompletion(BLOCK, random.nextInt(100), Input.BlockStatus.OK, bytes(5000));
    };
  }

  private byte[] bytes(int max) {
    byte[] b = new byte[1 + random.nextInt(Math.max(1, max))];
    random.nextBytes(b);
    return b;
  }

  List<String> history() {
    return history;
  }

  long steps() {
    return machine.steps();
  }
}
