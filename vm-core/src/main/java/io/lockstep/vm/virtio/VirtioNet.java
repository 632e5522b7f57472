package io.lockstep.vm.virtio;

import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.util.ArrayList;
import java.util.List;

/**
 * A virtio network card (virtio 1.2 §5.1) with one pair of queues and no control queue. Frames
 * carry their {@code virtio_net_hdr_v1} in both directions, so that checksums and segmentation are
 * left to whoever needs them; what the driver has not negotiated never reaches it: the device
 * completes the checksum or cuts the segment. It has no state of its own.
 */
public final class VirtioNet extends VirtioDevice {
  /** The longest frame in either direction, with its header. */
  public static final int FRAME_MAX = 65_562;

  /** The shortest: the header and an Ethernet header. */
  private static final int FRAME_MIN = NetHeader.LENGTH + 14;

  private static final int RECEIVE = 0;
  private static final int TRANSMIT = 1;
  private static final int RECEIVE_QUEUE_SIZE = 1024;
  private static final int TRANSMIT_QUEUE_SIZE = 256;

  private static final long F_CSUM = 1L << 0;
  private static final long F_GUEST_CSUM = 1L << 1;
  private static final long F_MAC = 1L << 5;
  private static final long F_GUEST_TSO4 = 1L << 7;
  private static final long F_GUEST_TSO6 = 1L << 8;
  private static final long F_HOST_TSO4 = 1L << 11;
  private static final long F_HOST_TSO6 = 1L << 12;
  private static final long F_MRG_RXBUF = 1L << 15;
  private static final long F_STATUS = 1L << 16;
  private static final long OFFLOADS =
      F_CSUM | F_GUEST_CSUM | F_GUEST_TSO4 | F_GUEST_TSO6 | F_HOST_TSO4 | F_HOST_TSO6;

  private static final int LINK_UP = 1;

  private final int id;
  private final VirtioSlot.Net slot;
  private final OutputSink sink;

  /**
   * Makes a network card with its link up.
   *
   * @param id its {@link io.lockstep.vm.port.DeviceId}
   * @param sink takes its {@link Output.PacketSent}s
   */
  public VirtioNet(int id, VirtioSlot.Net slot, OutputSink sink) {
    super(RECEIVE_QUEUE_SIZE, TRANSMIT_QUEUE_SIZE);
    this.id = id;
    this.slot = slot;
    this.sink = sink;
  }

  @Override
  int type() {
    return 1;
  }

  @Override
  long features() {
    return F_MAC | F_STATUS | F_MRG_RXBUF | (slot.offloads() ? OFFLOADS : 0);
  }

  /** {@code struct virtio_net_config}, §5.1.4. */
  @Override
  byte[] config() {
    byte[] c = new byte[12];
    for (int i = 0; i < 6; i++) {
      c[i] = (byte) (slot.mac() >>> 8 * (5 - i));
    }
    c[6] = LINK_UP;
    c[8] = 1;
    return c;
  }

  @Override
  void notified(int queue) {
    if (queue == TRANSMIT) {
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
      send(chain.readable());
      ring.push(chain.head(), 0);
    }
    ring.wantNotification();
    signal(TRANSMIT);
  }

  /** Frames of impossible length, and those that use what was not negotiated, are dropped. */
  private void send(BufferList data) {
    if (data.length() < FRAME_MIN || data.length() > FRAME_MAX) {
      return;
    }
    byte[] frame = new byte[(int) data.length()];
    data.read(ram(), 0, frame, 0, frame.length);
    if (NetHeader.admit(frame, has(F_CSUM), has(F_HOST_TSO4), has(F_HOST_TSO6))) {
      sink.emit(new Output.PacketSent(id, frame));
    }
  }

  @Override
  public void apply(Input input) {
    if (input instanceof Input.PacketArrival arrival) {
      receive(arrival.frame());
    }
  }

  private void receive(byte[] arrived) {
    if (!isRunning() || arrived.length < FRAME_MIN || arrived.length > FRAME_MAX) {
      return;
    }
    byte[] frame = arrived.clone();
    if (NetHeader.admit(frame, has(F_GUEST_CSUM), has(F_GUEST_TSO4), has(F_GUEST_TSO6))) {
      deliver(frame);
    } else {
      SegmentCutter.cut(arrived).forEach(this::deliver);
    }
    signal(RECEIVE);
  }

  /** Puts a frame into the driver's buffers, or drops it if there are not enough. */
  private void deliver(byte[] frame) {
    List<DescriptorChain> buffers = collect(frame.length);
    frame[NetHeader.NUM_BUFFERS] = (byte) buffers.size();
    frame[NetHeader.NUM_BUFFERS + 1] = (byte) (buffers.size() >>> 8);
    int done = 0;
    for (DescriptorChain chain : buffers) {
      int n = chain.writable().write(ram(), 0, frame, done, frame.length - done);
      queue(RECEIVE).push(chain.head(), n);
      done += n;
    }
  }

  /** Takes receive buffers for {@code length} bytes (§5.1.6.4); if they don't suffice, none. */
  private List<DescriptorChain> collect(int length) {
    Virtqueue ring = queue(RECEIVE);
    int buffersMax = has(F_MRG_RXBUF) ? ring.size() : 1;
    List<DescriptorChain> taken = new ArrayList<>();
    long room = 0;
    while (room < length && taken.size() < buffersMax) {
      DescriptorChain chain = poll(RECEIVE);
      if (chain == null) {
        break;
      }
      if (chain.writable().length() < NetHeader.LENGTH) {
        fail();
        return List.of();
      }
      taken.add(chain);
      room += chain.writable().length();
    }
    if (room < length) {
      ring.unpoll(taken.size());
      return List.of();
    }
    return taken;
  }

  @Override
  void reset() {}

  @Override
  public void save(StateWriter out) {
    out.section("net");
  }

  @Override
  public void restore(StateReader in) {
    in.section("net");
  }
}
