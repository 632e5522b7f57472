package io.lockstep.host.net;

import io.lockstep.host.net.wire.Bytes;
import io.lockstep.host.net.wire.EtherType;
import io.lockstep.host.net.wire.Frame;
import io.lockstep.host.net.wire.Mac;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.BiConsumer;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A learning layer-2 switch: plain logic on one thread, with no socket of its own.
 *
 * <p>Addresses of plain ports are learnt from what they send and forgotten when they fall silent. A
 * port that names a VM and an epoch <em>owns</em> its address: nobody else's frames are taken from
 * it, and the newest epoch of a VM cuts off all ports of older ones, in the same step in which it
 * gets the address. So after a claim no frame of an older epoch passes, whatever its sender
 * believes. The newest epoch seen of each VM is remembered as long as the switch lives, and by
 * {@link #rememberEpochs} beyond.
 */
public final class L2Switch {
  private static final Logger LOG = LoggerFactory.getLogger(L2Switch.class);
  private static final long SECOND = 1_000_000_000L;
  private static final int VMS_MAX = 65_536;
  private static final long FIRST_EPOCH = 1;
  private static final int LEARNT_PER_PORT_MAX = 1024;

  /**
   * What ports may do.
   *
   * @param ageing nanoseconds of silence after which an address is forgotten
   * @param floodsPerSecond broadcasts, multicasts and frames to unknown addresses that a port may
   *     send
   * @param floodBurst how many of these may come at once
   * @param ports most ports at a time
   */
  public record Limits(long ageing, int floodsPerSecond, int floodBurst, int ports) {
    public static final Limits DEFAULT = new Limits(300 * SECOND, 5_000, 2_000, 1_024);
  }

  /** Sees each frame that enters the switch, for captures. */
  public interface Observer {
    void entered(SwitchPort from, Frame frame);
  }

  private static final class Vm {
    final UUID id;
    long newestEpoch;
    final List<Attachment> owners = new ArrayList<>();

    Vm(UUID id, long epoch) {
      this.id = id;
      this.newestEpoch = epoch;
    }
  }

  private static final class Entry {
    final long mac;
    Attachment at;
    long seen;
    boolean owned;

    Entry(long mac) {
      this.mac = mac;
    }
  }

  /** A port's place in the switch. */
  public final class Attachment {
    private final SwitchPort port;
    private boolean attached = true;
    private boolean delivering = true;
    private Vm vm;
    private long epoch;
    private long instance;
    private long mac;
    private int learnt;
    private double floodTokens = limits.floodBurst();
    private long floodTime = clock.getAsLong();
    private Entry lastSource;
    private Entry lastDestination;
    private int cacheVersion;

    private Attachment(SwitchPort port) {
      this.port = port;
    }

    public SwitchPort port() {
      return port;
    }

    /** A frame came in here. */
    public void receive(Frame frame) {
      if (attached && delivering) {
        L2Switch.this.receive(this, frame);
      }
    }

    /**
     * Makes this the port of a secondary: no traffic, and not the address, until a claim.
     *
     * @param expectedMac the address that it will claim
     */
    public void becomeWaiting(long expectedMac) {
      delivering = false;
      mac = expectedMac;
    }

    /**
     * Asks for an address in the name of a VM and an epoch. On success all ports of older epochs
     * have been cut off and the address leads here.
     *
     * @param wantedInstance a number drawn by the asking process: the same process may replace its
     *     own port
     */
    public ClaimAnswer claim(UUID vmId, long wantedEpoch, long wantedInstance, long wantedMac) {
      return claim(vmId, wantedEpoch, wantedInstance, wantedMac, () -> {});
    }

    /**
     * The same.
     *
     * @param granted called when the address is granted, before the first frame is sent to it
     */
    public ClaimAnswer claim(
        UUID vmId, long wantedEpoch, long wantedInstance, long wantedMac, Runnable granted) {
      return L2Switch.this.claim(this, vmId, wantedEpoch, wantedInstance, wantedMac, granted);
    }

    /** The newest epoch seen of a VM, or 0. */
    public long newestEpoch(UUID vmId) {
      return L2Switch.this.newestEpoch(vmId);
    }

    /** Takes the port out. */
    public void detach() {
      L2Switch.this.detach(this);
    }
  }

  private final Limits limits;
  private final LongSupplier clock;
  private final List<Attachment> attachments = new ArrayList<>();
  private final Map<Long, Entry> table = new HashMap<>();
  private final Map<UUID, Vm> vms = new HashMap<>();
  private final Map<Long, HeldFrames> held = new HashMap<>();
  private final List<LongConsumer> moveListeners = new ArrayList<>();
  private final Frame announcement = new Frame();
  private Observer observer = (from, frame) -> {};
  private BiConsumer<UUID, Long> epochListener = (vm, epoch) -> {};
  private int version;
  private long lastSweep;
  private long lastLearntMove = Long.MIN_VALUE / 2;

  /**
   * @param clock a monotonic clock in nanoseconds
   */
  public L2Switch(Limits limits, LongSupplier clock) {
    this.limits = limits;
    this.clock = clock;
    this.lastSweep = clock.getAsLong();
  }

  public void observe(Observer who) {
    observer = who;
  }

  /**
   * Takes over what an earlier switch has seen.
   *
   * @param earlier newest epochs
   * @param newer is told each newer one before it is granted. Not the first of a VM: there is none
   *     before it that could come back
   */
  public void rememberEpochs(Map<UUID, Long> earlier, BiConsumer<UUID, Long> newer) {
    earlier.forEach((id, epoch) -> vms.put(id, new Vm(id, epoch)));
    epochListener = newer;
  }

  /** Is told an address when it leads to another port than before. */
  public void onMove(LongConsumer listener) {
    moveListeners.add(listener);
  }

  /** Adds a port, or returns null if there are too many. */
  public Attachment attach(SwitchPort port) {
    if (attachments.size() >= limits.ports()) {
      return null;
    }
    Attachment a = new Attachment(port);
    attachments.add(a);
    return a;
  }

  /** The newest epoch seen of a VM, or 0. */
  long newestEpoch(UUID vm) {
    Vm known = vms.get(vm);
    return known == null ? 0 : known.newestEpoch;
  }

  public int portCount() {
    return attachments.size();
  }

  /**
   * True if an address leads to a port, or a port waits to take it over: whoever has it is alive or
   * may be replaced any moment.
   */
  public boolean isReachable(long mac) {
    return table.containsKey(mac) || isAwaited(mac);
  }

  private boolean isAwaited(long mac) {
    return attachments.stream().anyMatch(a -> !a.delivering && a.mac == mac);
  }

  /** True if the port behind an address has so much queued that a sender who can wait should. */
  public boolean isCongested(long mac) {
    Entry entry = table.get(mac);
    return entry != null && entry.at.port.isCongested();
  }

  private void detach(Attachment a) {
    if (!a.attached) {
      return;
    }
    a.attached = false;
    attachments.remove(a);
    if (a.vm != null) {
      a.vm.owners.remove(a);
      if (a.vm.owners.isEmpty() && a.vm.newestEpoch <= FIRST_EPOCH) {
        vms.remove(a.vm.id); // unprotected machines come and go with new names
      }
    }
    table.values().removeIf(entry -> entry.at == a);
    version++;
    if (a.mac != 0) {
      holdOrDrop(a);
    }
  }

  private void holdOrDrop(Attachment gone) {
    if (!isAwaited(gone.mac)) {
      held.remove(gone.mac);
    } else if (gone.delivering) {
      held.putIfAbsent(gone.mac, new HeldFrames());
    }
  }

  // ---- frames ----

  private void receive(Attachment from, Frame frame) {
    PortCounters counters = from.port.counters();
    if (frame.length < EtherType.HEADER || frame.length > Frame.MAX_LENGTH) {
      counters.droppedMalformed++;
      return;
    }
    counters.countIn(frame.length);
    observer.entered(from.port, frame);
    sweep(clock.getAsLong());
    if (from.cacheVersion != version) {
      from.cacheVersion = version;
      from.lastSource = null;
      from.lastDestination = null;
    }
    if (learn(from, frame.source())) {
      forward(from, frame);
    }
  }

  /** Returns false if the frame must not pass. */
  private boolean learn(Attachment from, long source) {
    long now = clock.getAsLong();
    Entry known = from.lastSource;
    if (known == null || known.mac != source) {
      if (!Mac.isUsableSource(source)) {
        from.port.counters().droppedMalformed++;
        return false;
      }
      known = table.get(source);
    }
    if (known == null) {
      if (from.learnt >= LEARNT_PER_PORT_MAX) {
        return true; // It is served, by flooding.
      }
      known = new Entry(source);
      known.at = from;
      table.put(source, known);
      from.learnt++;
      version++;
    } else if (known.at != from) {
      if (known.owned) {
        from.port.counters().droppedForeignMac++;
        return false;
      }
      known.at.learnt--;
      known.at = from;
      from.learnt++;
      version++;
      // A guest could make two ports fight for an address: listeners do work, so not at any rate.
      if (now - lastLearntMove >= SECOND) {
        lastLearntMove = now;
        moveListeners.forEach(listener -> listener.accept(source));
      }
    }
    known.seen = now;
    from.lastSource = known;
    from.cacheVersion = version;
    return true;
  }

  private void forward(Attachment from, Frame frame) {
    long destination = frame.destination();
    Entry to = from.lastDestination;
    if (to == null || to.mac != destination) {
      to = Mac.isMulticast(destination) ? null : table.get(destination);
      from.lastDestination = to;
    }
    if (to != null) {
      if (to.at != from) {
        to.at.port.send(frame);
      }
      return;
    }
    HeldFrames waiting = held.isEmpty() ? null : held.get(destination);
    if (waiting != null) {
      waiting.keep(frame, clock.getAsLong());
      return;
    }
    if (!takeFloodToken(from)) {
      from.port.counters().droppedFloodLimit++;
      return;
    }
    flood(from, frame);
  }

  private void flood(Attachment from, Frame frame) {
    // A port that fails while sending takes itself out of the list.
    for (int i = attachments.size() - 1; i >= 0; i--) {
      Attachment a = i < attachments.size() ? attachments.get(i) : from;
      if (a != from && a.delivering) {
        a.port.send(frame);
      }
    }
  }

  private boolean takeFloodToken(Attachment from) {
    long now = clock.getAsLong();
    double gain = (now - from.floodTime) * (double) limits.floodsPerSecond() / SECOND;
    from.floodTime = now;
    from.floodTokens = Math.min(limits.floodBurst(), from.floodTokens + gain);
    if (from.floodTokens < 1) {
      return false;
    }
    from.floodTokens--;
    return true;
  }

  private void sweep(long now) {
    if (now - lastSweep < limits.ageing() / 4) {
      return;
    }
    lastSweep = now;
    boolean removed =
        table
            .values()
            .removeIf(
                entry -> {
                  boolean old = !entry.owned && now - entry.seen > limits.ageing();
                  if (old) {
                    entry.at.learnt--;
                  }
                  return old;
                });
    if (removed) {
      version++;
    }
  }

  // ---- ownership ----

  private ClaimAnswer claim(
      Attachment a, UUID id, long epoch, long instance, long mac, Runnable granted) {
    if (!a.attached || !Mac.isUsableSource(mac) || epoch < 0) {
      return ClaimAnswer.MALFORMED;
    }
    if (a.vm != null && (!a.vm.id.equals(id) || a.epoch > epoch)) {
      return ClaimAnswer.MALFORMED;
    }
    Vm vm = vms.get(id);
    if (vm == null) {
      if (vms.size() >= VMS_MAX) {
        return ClaimAnswer.FULL;
      }
      vm = new Vm(id, epoch);
    }
    if (epoch < vm.newestEpoch) {
      return ClaimAnswer.STALE_EPOCH;
    }
    Entry holder = table.get(mac);
    if (holder != null && holder.owned && holder.at != a) {
      if (holder.at.vm != vm) {
        return ClaimAnswer.MAC_IN_USE;
      }
      if (epoch == vm.newestEpoch && holder.at.instance != instance) {
        return ClaimAnswer.EPOCH_IN_USE;
      }
    }
    if (epoch > Math.max(FIRST_EPOCH, vms.containsKey(id) ? vm.newestEpoch : 0)) {
      epochListener.accept(id, epoch);
    }
    vms.put(id, vm);
    vm.newestEpoch = epoch;
    cutOffOlder(vm, a, epoch, mac);
    own(a, vm, epoch, instance, mac);
    granted.run();
    announce(a, mac);
    HeldFrames waiting = held.remove(mac);
    if (waiting != null) {
      waiting.release(clock.getAsLong(), a.port::send);
    }
    moveListeners.forEach(listener -> listener.accept(mac));
    return ClaimAnswer.OWNER;
  }

  private void cutOffOlder(Vm vm, Attachment newest, long epoch, long mac) {
    for (Attachment old : List.copyOf(vm.owners)) {
      if (old != newest && (old.epoch < epoch || old.mac == mac)) {
        LOG.info("{} is cut off: epoch {} of VM {} has taken over", old.port.name(), epoch, vm.id);
        detach(old);
        old.port.cutOff("epoch " + epoch + " of this VM has taken over");
      }
    }
  }

  private void own(Attachment a, Vm vm, long epoch, long instance, long mac) {
    if (a.vm == null) {
      vm.owners.add(a);
    } else if (a.mac != mac) {
      table.remove(a.mac);
    }
    a.vm = vm;
    a.epoch = epoch;
    a.instance = instance;
    a.mac = mac;
    a.delivering = true;
    Entry entry = table.computeIfAbsent(mac, Entry::new);
    if (entry.at != null && !entry.owned) {
      entry.at.learnt--;
    }
    entry.at = a;
    entry.owned = true;
    entry.seen = clock.getAsLong();
    version++;
  }

  /**
   * Tells everyone beyond the other ports where the address is now: a reverse ARP broadcast (RFC
   * 903).
   */
  private void announce(Attachment from, long mac) {
    byte[] rarp = reverseArp(mac);
    flood(from, announcement.set(rarp, 0, rarp.length));
  }

  /**
   * A reverse ARP request of an address for itself: switches learn the place of its sender, hosts
   * ignore it, and it needs no IP address.
   */
  public static byte[] reverseArp(long mac) {
    byte[] b = new byte[60];
    EtherType.writeHeader(b, 0, Mac.BROADCAST, mac, EtherType.RARP);
    Bytes.put16(b, 14, 1);
    Bytes.put16(b, 16, EtherType.IPV4);
    b[18] = 6;
    b[19] = 4;
    Bytes.put16(b, 20, 3);
    Bytes.put48(b, 22, mac);
    Bytes.put48(b, 32, mac);
    return b;
  }

  // ---- status ----

  /** A JSON array with an object for each port. */
  public String portsJson() {
    StringBuilder json = new StringBuilder("[");
    for (Attachment a : attachments) {
      json.append(json.length() > 1 ? "," : "")
          .append("{\"name\":\"")
          .append(a.port.name())
          .append('"');
      if (!a.delivering) {
        json.append(",\"role\":\"waiting\"");
      } else if (a.vm != null) {
        json.append(",\"role\":\"owner\",\"vm\":\"")
            .append(a.vm.id)
            .append("\",\"epoch\":")
            .append(a.epoch);
      } else {
        json.append(",\"role\":\"plain\"");
      }
      json.append(",\"macs\":[");
      String comma = "";
      for (Entry entry : table.values()) {
        if (entry.at == a) {
          json.append(comma).append('"').append(Mac.format(entry.mac)).append('"');
          comma = ",";
        }
      }
      json.append("],").append(a.port.counters().toJson()).append('}');
    }
    return json.append(']').toString();
  }
}
