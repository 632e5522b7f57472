package io.lockstep.host.backend;

import io.lockstep.host.net.NetworkLink;
import io.lockstep.host.net.gateway.Forward;
import io.lockstep.replay.live.InputPort;
import io.lockstep.replay.live.NetBackend;
import io.lockstep.vm.port.Input;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.List;

/**
 * A network card's cable: carries packets between the machine and a {@link NetworkLink}.
 *
 * <p>Packets that come before the machine has started wait for it, within bounds: a secondary owns
 * its address a little before it runs, and what comes just then is what everybody had not been
 * answered yet. Lost, each of it would cost its sender a retransmission timeout.
 */
public final class LinkBackend implements NetBackend, NetworkLink.Receiver {
  private static final int EARLY_BYTES_MAX = 1 << 20;

  private volatile NetworkLink link;
  private List<Forward> forwards = List.of();
  private volatile Arrivals arrivals;
  private final ArrayDeque<byte[]> early = new ArrayDeque<>();
  private int earlyBytes;
  private boolean closed;

  private record Arrivals(int device, InputPort port) {
    void offer(byte[] packet) {
      port.offer(new Input.PacketArrival(device, packet));
    }
  }

  /** Uses this link, which delivers to this object, from now on. */
  public void connect(NetworkLink to) {
    link = to;
  }

  /** Says which forwards, with their real port numbers, come with the link. */
  public void setForwards(List<Forward> open) {
    forwards = List.copyOf(open);
  }

  /** The ports of this host that lead to the guest. */
  public List<Forward> forwards() {
    return forwards;
  }

  /** The link; null before {@link #connect}. */
  public NetworkLink link() {
    return link;
  }

  @Override
  public synchronized void start(int device, InputPort port) {
    Arrivals to = new Arrivals(device, port);
    early.forEach(to::offer);
    early.clear();
    earlyBytes = 0;
    arrivals = to;
  }

  @Override
  public void send(byte[] frame) {
    NetworkLink to = link;
    if (to == null) {
      return;
    }
    to.send(frame, 0, frame.length);
  }

  @Override
  public void packet(byte[] data, int offset, int length) {
    byte[] packet = Arrays.copyOfRange(data, offset, offset + length);
    Arrivals to = arrivals;
    if (to == null) {
      to = keep(packet);
    }
    if (to != null) {
      to.offer(packet);
    }
  }

  /** Keeps a packet, or returns where to it goes because the machine has started meanwhile. */
  private synchronized Arrivals keep(byte[] packet) {
    if (arrivals == null && !closed && earlyBytes + packet.length <= EARLY_BYTES_MAX) {
      early.add(packet);
      earlyBytes += packet.length;
    }
    return arrivals;
  }

  @Override
  public void close() {
    synchronized (this) {
      closed = true;
      arrivals = null;
      early.clear();
    }
    NetworkLink to = link;
    if (to != null) {
      to.close();
    }
  }
}
