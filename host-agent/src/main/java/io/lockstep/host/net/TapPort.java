package io.lockstep.host.net;

import io.lockstep.host.net.loop.EventLoop;
import io.lockstep.host.net.wire.Frame;
import io.lockstep.host.net.wire.Offload;
import io.lockstep.replay.Threads;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The uplink of a switch: a port that is a TAP device. A thread reads it; writing is done by the
 * loop.
 */
final class TapPort implements SwitchPort, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(TapPort.class);
  private static final int WAITING_MAX = 4096;

  private final EventLoop loop;
  private final Tap tap;
  private final PortCounters counters = new PortCounters();
  private final Frame frame = new Frame();
  private final Frame workFrame = new Frame();
  private final byte[] scratch = new byte[Frame.MAX_LENGTH];
  private final Consumer<Frame> write = this::write;
  private final AtomicInteger waiting = new AtomicInteger();
  private final Thread reader;
  private L2Switch.Attachment attachment;

  TapPort(EventLoop loop, Tap tap) {
    this.loop = loop;
    this.tap = tap;
    this.reader =
        Thread.ofPlatform()
            .daemon(true)
            .name("lockstep-tap-" + tap.name())
            .unstarted(this::readFrames);
  }

  /** On the loop. */
  void start(L2Switch l2) {
    attachment = l2.attach(this);
    reader.start();
  }

  private void readFrames() {
    byte[] buffer = new byte[Frame.MAX_LENGTH];
    for (int length = tap.read(buffer); length >= 0; length = tap.read(buffer)) {
      if (waiting.get() >= WAITING_MAX) {
        continue; // the loop is behind: what a full interface queue does
      }
      byte[] copy = Arrays.copyOf(buffer, length);
      waiting.incrementAndGet();
      loop.execute(() -> arrived(copy));
    }
    LOG.info("the TAP device {} is closed", tap.name());
  }

  private void arrived(byte[] bytes) {
    waiting.decrementAndGet();
    attachment.receive(frame.set(bytes, 0, bytes.length));
  }

  @Override
  public String name() {
    return "tap:" + tap.name();
  }

  @Override
  public void send(Frame out) {
    if (!Offload.adapt(out, Offload.NONE, scratch, workFrame, write)) {
      counters.droppedMalformed++;
    }
  }

  private void write(Frame out) {
    if (tap.write(out.data, out.offset, out.length)) {
      counters.countOut(out.length);
    } else {
      counters.droppedQueueFull++;
    }
  }

  @Override
  public boolean isCongested() {
    return false;
  }

  @Override
  public void cutOff(String reason) {
    LOG.warn("{} is cut off: {}", name(), reason);
  }

  @Override
  public PortCounters counters() {
    return counters;
  }

  /** On the loop. */
  @Override
  public void close() {
    attachment.detach();
    tap.close();
    Threads.awaitEnd(reader);
    tap.release();
  }
}
