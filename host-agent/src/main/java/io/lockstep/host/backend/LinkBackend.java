package io.lockstep.host.backend;

import io.lockstep.host.net.NetworkLink;
import io.lockstep.host.net.gateway.Forward;
import io.lockstep.replay.live.InputPort;
import io.lockstep.replay.live.NetBackend;
import io.lockstep.vm.port.Input;
import java.util.Arrays;
import java.util.List;

/**
 * A network card's cable: carries packets between the machine and a {@link NetworkLink}. Packets
 * that come before the machine has started are dropped.
 */
public final class LinkBackend implements NetBackend, NetworkLink.Receiver {
  /** How often, at most, the guest's abilities are asked for while it sends. */
  private static final long ASK_NANOS = 50_000_000;

  private volatile NetworkLink link;
  private List<Forward> forwards = List.of();
  private volatile Arrivals arrivals;
  private volatile Runnable askAbilities = () -> {};
  private long askedNanos = System.nanoTime() - ASK_NANOS;

  private record Arrivals(int device, InputPort port) {}

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

  /**
   * Sets who tells which packets the guest can take. A guest that has not sent anything gets plain
   * packets only. It is asked again and again, because the driver may change: a boot loader's is
   * simpler than an operating system's.
   *
   * @param ask makes somebody call {@link #setAbilities} soon; does not wait
   */
  public void askAbilitiesBy(Runnable ask) {
    askAbilities = ask;
  }

  /** Sets which packets the guest can take: bits of {@code Offload}. */
  public void setAbilities(int abilities) {
    NetworkLink to = link;
    if (to != null) {
      to.setAbilities(abilities);
    }
  }

  @Override
  public void start(int device, InputPort port) {
    arrivals = new Arrivals(device, port);
  }

  @Override
  public void send(byte[] frame) {
    NetworkLink to = link;
    if (to == null) {
      return;
    }
    long now = System.nanoTime();
    if (now - askedNanos >= ASK_NANOS) {
      askedNanos = now;
      askAbilities.run();
    }
    to.send(frame, 0, frame.length);
  }

  @Override
  public void packet(byte[] data, int offset, int length) {
    Arrivals to = arrivals;
    if (to != null) {
      to.port()
          .offer(
              new Input.PacketArrival(
                  to.device(), Arrays.copyOfRange(data, offset, offset + length)));
    }
  }

  @Override
  public void close() {
    arrivals = null;
    NetworkLink to = link;
    if (to != null) {
      to.close();
    }
  }
}
