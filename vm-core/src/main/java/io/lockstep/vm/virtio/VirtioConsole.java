package io.lockstep.vm.virtio;

import io.lockstep.vm.device.ByteQueue;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;

/**
 * A virtio console with a single port (virtio 1.2 §5.3). What is typed waits until the driver
 * offers a buffer, {@link #BACKLOG_MAX} bytes at most.
 */
public final class VirtioConsole extends VirtioDevice {
  /** The most bytes of input that wait. */
  public static final int BACKLOG_MAX = 64 << 10;

  /**
   * The most bytes of one buffer that are sent; drivers write less, and what is more is dropped.
   */
  private static final int SEND_MAX = 64 << 10;

  private static final int RECEIVE = 0;
  private static final int TRANSMIT = 1;
  private static final int QUEUE_SIZE = 64;

  private final int id;
  private final OutputSink sink;
  private final ByteQueue backlog = new ByteQueue("console-backlog", BACKLOG_MAX);

  /**
   * Makes a console.
   *
   * @param id its {@link io.lockstep.vm.port.DeviceId}
   * @param sink takes its {@link Output.ConsoleBytes}
   */
  public VirtioConsole(int id, OutputSink sink) {
    super(QUEUE_SIZE, QUEUE_SIZE);
    this.id = id;
    this.sink = sink;
  }

  /** Bytes that the guest has not read yet. */
  public int backlog() {
    return backlog.size();
  }

  @Override
  int type() {
    return 3;
  }

  @Override
  void notified(int queue) {
    if (queue == RECEIVE) {
      deliver();
    } else {
      transmit();
    }
  }

  private void transmit() {
    Virtqueue ring = queue(TRANSMIT);
    for (int i = 0; i < ring.size(); i++) {
      DescriptorChain chain = poll(TRANSMIT);
      if (chain == null) {
        break;
      }
      byte[] data = new byte[(int) Math.min(chain.readable().length(), SEND_MAX)];
      chain.readable().read(ram(), 0, data, 0, data.length);
      if (data.length > 0) {
        sink.emit(new Output.ConsoleBytes(id, data));
      }
      ring.push(chain.head(), 0);
    }
    ring.wantNotification();
    signal(TRANSMIT);
  }

  private void deliver() {
    Virtqueue ring = queue(RECEIVE);
    for (int i = 0; i < ring.size() && !backlog.isEmpty(); i++) {
      DescriptorChain chain = poll(RECEIVE);
      if (chain == null) {
        break;
      }
      byte[] data = backlog.poll((int) Math.min(chain.writable().length(), BACKLOG_MAX));
      chain.writable().write(ram(), 0, data, 0, data.length);
      ring.push(chain.head(), data.length);
    }
    ring.wantNotification();
    signal(RECEIVE);
  }

  @Override
  public void apply(Input input) {
    if (input instanceof Input.ConsoleInput typed) {
      backlog.add(typed.data(), 0, typed.data().length);
      if (isRunning()) {
        deliver();
      }
    }
  }

  @Override
  void reset() {}

  @Override
  public void save(StateWriter out) {
    out.section("console");
    backlog.save(out);
  }

  @Override
  public void restore(StateReader in) {
    in.section("console");
    backlog.restore(in);
  }
}
