package io.lockstep.replay.live;

import io.lockstep.vm.port.DeviceId;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;

/**
 * The backends of one live machine, and the sink that leads each output to the right one. Outputs
 * for a device without a backend are dropped. {@link #emit} may be called by any one thread at a
 * time: the vCPU's, or that of whoever releases held outputs.
 */
public final class Backends implements OutputSink, AutoCloseable {
  private static final int DEVICES = 1 + DeviceId.VIRTIO_SLOTS;

  private final InputPort inputs;
  private final BlockBackend[] blocks = new BlockBackend[DEVICES];
  private final NetBackend[] nets = new NetBackend[DEVICES];
  private final ConsoleBackend[] consoles = new ConsoleBackend[DEVICES];
  private final EntropyBackend[] entropies = new EntropyBackend[DEVICES];

  /** Backends that hand their inputs to {@code inputs}. */
  public Backends(InputPort inputs) {
    this.inputs = inputs;
  }

  /** Serves block device {@code device} by {@code backend}. */
  public Backends block(int device, BlockBackend backend) {
    blocks[device] = backend;
    return this;
  }

  /** Serves network device {@code device} by {@code backend}. */
  public Backends net(int device, NetBackend backend) {
    nets[device] = backend;
    return this;
  }

  /** Serves console {@code device} by {@code backend}. */
  public Backends console(int device, ConsoleBackend backend) {
    consoles[device] = backend;
    return this;
  }

  /** Serves entropy device {@code device} by {@code backend}. */
  public Backends entropy(int device, EntropyBackend backend) {
    entropies[device] = backend;
    return this;
  }

  /** Starts the backends that deliver inputs on their own. */
  public void start() {
    for (int device = 0; device < DEVICES; device++) {
      if (nets[device] != null) {
        nets[device].start(device, inputs);
      }
      if (consoles[device] != null) {
        consoles[device].start(device, inputs);
      }
    }
  }

  @Override
  public void emit(Output output) {
    switch (output) {
      case Output.ConsoleBytes o -> {
        if (consoles[o.device()] != null) {
          consoles[o.device()].write(o.data());
        }
      }
      case Output.PacketSent o -> {
        if (nets[o.device()] != null) {
          nets[o.device()].send(o.frame());
        }
      }
      case Output.BlockRequest o -> {
        if (blocks[o.device()] != null) {
          blocks[o.device()].submit(o, inputs);
        }
      }
      case Output.EntropyRequest o -> {
        if (entropies[o.device()] != null) {
          entropies[o.device()].request(o, inputs);
        }
      }
    }
  }

  @Override
  public void close() {
    for (int device = 0; device < DEVICES; device++) {
      if (nets[device] != null) {
        nets[device].close();
      }
      if (consoles[device] != null) {
        consoles[device].close();
      }
      if (blocks[device] != null) {
        blocks[device].close();
      }
    }
  }
}
