package io.lockstep.host.backend;

import io.lockstep.host.net.NetworkLink;
import io.lockstep.host.net.PcapWriter;
import io.lockstep.host.net.wire.Frame;
import java.io.IOException;
import java.nio.file.Path;

/** Writes the packets of a link to a capture file. */
public final class CapturedLink implements NetworkLink {
  private final PcapWriter capture;
  private final Frame frame = new Frame();
  private NetworkLink link;
  private boolean closed;

  /**
   * Creates the file.
   *
   * @throws IOException with a sentence for the user
   */
  public CapturedLink(Path file) throws IOException {
    capture = new PcapWriter(file);
  }

  /** A receiver for the link, which passes on to {@code next}. */
  public Receiver receiver(Receiver next) {
    return (data, offset, length) -> {
      record(data, offset, length);
      next.packet(data, offset, length);
    };
  }

  /** Carries packets over this link. */
  public CapturedLink over(NetworkLink captured) {
    link = captured;
    return this;
  }

  private synchronized void record(byte[] data, int offset, int length) {
    if (!closed && frame.setWithHeader(data, offset, length)) {
      capture.write(frame);
      capture.flush();
    }
  }

  @Override
  public void send(byte[] packet, int offset, int length) {
    record(packet, offset, length);
    link.send(packet, offset, length);
  }

  @Override
  public long dropped() {
    return link.dropped();
  }

  @Override
  public void close() {
    if (link != null) {
      link.close();
    }
    synchronized (this) {
      closed = true;
      capture.close();
    }
  }
}
