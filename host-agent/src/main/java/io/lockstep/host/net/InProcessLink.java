package io.lockstep.host.net;

import io.lockstep.host.net.loop.EventLoop;
import io.lockstep.host.net.wire.Frame;
import io.lockstep.host.net.wire.Offload;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/** A VM's port on a switch in the same process. */
final class InProcessLink implements NetworkLink, SwitchPort {
  private static final int WAITING_BYTES_MAX = 4 << 20;

  private final EventLoop loop;
  private final String name;
  private final Receiver receiver;
  private final PortCounters counters = new PortCounters();
  private final AtomicLong dropped = new AtomicLong();
  private final AtomicInteger waiting = new AtomicInteger();
  private final Frame inFrame = new Frame();
  private final Frame workFrame = new Frame();
  private final byte[] scratch = new byte[Frame.MAX_LENGTH];
  private final byte[] packet = new byte[Frame.VNET_HEADER + Frame.MAX_LENGTH];
  private final Consumer<Frame> hand = this::hand;
  private final int abilities;
  private volatile boolean closed;
  private L2Switch.Attachment attachment;

  InProcessLink(EventLoop loop, String name, int abilities, Receiver receiver) {
    this.loop = loop;
    this.name = name;
    this.abilities = abilities;
    this.receiver = receiver;
  }

  /** On the loop. */
  boolean attach(L2Switch l2) {
    attachment = l2.attach(this);
    return attachment != null;
  }

  @Override
  public void send(byte[] bytes, int offset, int length) {
    if (closed || waiting.get() + length > WAITING_BYTES_MAX) {
      dropped.incrementAndGet();
      return;
    }
    byte[] copy = Arrays.copyOfRange(bytes, offset, offset + length);
    waiting.addAndGet(length);
    loop.execute(() -> arrived(copy));
  }

  private void arrived(byte[] bytes) {
    waiting.addAndGet(-bytes.length);
    if (inFrame.setWithHeader(bytes, 0, bytes.length)) {
      attachment.receive(inFrame);
    } else {
      counters.droppedMalformed++;
    }
  }

  @Override
  public long dropped() {
    return dropped.get();
  }

  @Override
  public void close() {
    closed = true;
    loop.execute(() -> attachment.detach());
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public void send(Frame frame) {
    if (!closed && !Offload.adapt(frame, abilities, scratch, workFrame, hand)) {
      counters.droppedMalformed++;
    }
  }

  private void hand(Frame frame) {
    frame.writeHeader(packet, 0);
    System.arraycopy(frame.data, frame.offset, packet, Frame.VNET_HEADER, frame.length);
    counters.countOut(frame.length);
    receiver.packet(packet, 0, Frame.VNET_HEADER + frame.length);
  }

  @Override
  public boolean isCongested() {
    return false;
  }

  @Override
  public void cutOff(String reason) {
    closed = true;
  }

  @Override
  public PortCounters counters() {
    return counters;
  }
}
