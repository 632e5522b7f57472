package io.lockstep.host.net;

import io.lockstep.host.net.wire.Frame;
import io.lockstep.host.net.wire.Offload;
import io.lockstep.replay.Threads;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/** A TAP device directly under a VM, without a switch. */
public final class TapLink implements NetworkLink {
  private final Tap tap;
  private final Receiver receiver;
  private final Thread reader;
  private final AtomicLong dropped = new AtomicLong();
  private final Object lock = new Object();
  private final Frame frame = new Frame();
  private final Frame workFrame = new Frame();
  private final byte[] scratch = new byte[Frame.MAX_LENGTH];
  private final Consumer<Frame> write = this::write;
  private boolean open = true;

  /** Takes over an open device; {@link #close} closes it. */
  public TapLink(Tap tap, Receiver receiver) {
    this.tap = tap;
    this.receiver = receiver;
    this.reader =
        Thread.ofPlatform().daemon(true).name("lockstep-tap-" + tap.name()).start(this::read);
  }

  private void read() {
    byte[] frameBytes = new byte[Frame.MAX_LENGTH];
    byte[] packet = new byte[Frame.VNET_HEADER + Frame.MAX_LENGTH];
    Frame complete = new Frame();
    for (int length = tap.read(frameBytes); length >= 0; length = tap.read(frameBytes)) {
      complete.set(frameBytes, 0, length).writeHeader(packet, 0);
      System.arraycopy(frameBytes, 0, packet, Frame.VNET_HEADER, length);
      receiver.packet(packet, 0, Frame.VNET_HEADER + length);
    }
  }

  @Override
  public void send(byte[] packet, int offset, int length) {
    synchronized (lock) {
      if (!open
          || !frame.setWithHeader(packet, offset, length)
          || !Offload.adapt(frame, Offload.NONE, scratch, workFrame, write)) {
        dropped.incrementAndGet();
      }
    }
  }

  private void write(Frame out) {
    if (!tap.write(out.data, out.offset, out.length)) {
      dropped.incrementAndGet();
    }
  }

  @Override
  public long dropped() {
    return dropped.get();
  }

  @Override
  public void close() {
    synchronized (lock) {
      if (!open) {
        return;
      }
      open = false;
    }
    tap.close();
    Threads.awaitEnd(reader);
    tap.release();
  }
}
