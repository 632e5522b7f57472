package io.lockstep.host.net;

import io.lockstep.host.net.wire.Frame;
import java.util.ArrayDeque;
import java.util.function.Consumer;

/**
 * What comes for a VM between the death of its port and the claim of the one that waits: its first
 * frames, so that a request is answered that was under way just then, whatever its sender does
 * about losses.
 */
final class HeldFrames {
  private static final int BYTES_MAX = 256 << 10;

  /** Whoever has waited for longer has long since sent it again, or given up. */
  private static final long AGE_MAX = 5_000_000_000L;

  private record Held(long time, byte[] packet) {}

  private final ArrayDeque<Held> frames = new ArrayDeque<>();
  private final Frame view = new Frame();
  private int bytes;

  /** Keeps a copy, if there is room. */
  void keep(Frame frame, long now) {
    int length = Frame.VNET_HEADER + frame.length;
    while (!frames.isEmpty() && now - frames.peek().time() > AGE_MAX) {
      bytes -= frames.poll().packet().length;
    }
    if (bytes + length > BYTES_MAX) {
      return;
    }
    byte[] packet = new byte[length];
    frame.writeHeader(packet, 0);
    System.arraycopy(frame.data, frame.offset, packet, Frame.VNET_HEADER, frame.length);
    frames.add(new Held(now, packet));
    bytes += length;
  }

  /** Hands all on, in order. */
  void release(long now, Consumer<Frame> to) {
    for (Held held = frames.poll(); held != null; held = frames.poll()) {
      byte[] packet = held.packet();
      if (now - held.time() <= AGE_MAX && view.setWithHeader(packet, 0, packet.length)) {
        to.accept(view);
      }
    }
    bytes = 0;
  }
}
