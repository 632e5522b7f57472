package io.lockstep.ft.sim;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The shared virtual disk: one layer for each epoch, frozen by the first use of a newer one. A
 * write is in the page cache of its host until a flush: a host's crash may lose it.
 */
final class SimDisk {
  private static final class Write {
    final long sector;
    final byte[] data;
    boolean stable;

    Write(long sector, byte[] data) {
      this.sector = sector;
      this.data = data;
    }
  }

  private static final class Layer {
    final List<Write> writes = new ArrayList<>();
    int host;
    int frozenAt = -1;

    int visible() {
      return frozenAt >= 0 ? frozenAt : writes.size();
    }
  }

  private final World world;
  private final TreeMap<Long, Layer> layers = new TreeMap<>();
  private final Map<Long, byte[]> unfenced = new HashMap<>();

  SimDisk(World world) {
    this.world = world;
  }

  /** The owner of an epoch opens its layer: older ones are frozen as they are now. */
  void open(long epoch, int host) {
    layers.headMap(epoch).values().stream()
        .filter(l -> l.frozenAt < 0)
        .forEach(l -> l.frozenAt = l.writes.size());
    layers.computeIfAbsent(epoch, e -> new Layer()).host = host;
  }

  boolean isOutdated(long epoch) {
    return !layers.isEmpty() && layers.lastKey() > epoch;
  }

  boolean isNewest(long epoch) {
    return layers.lastKey() == epoch;
  }

  void write(long epoch, long sector, byte[] data) {
    layers.get(epoch).writes.add(new Write(sector, data));
    unfenced.put(sector, data);
  }

  byte[] read(long epoch, long sector) {
    if (world.has(Flaw.DISK_IGNORES_EPOCH)) {
      return unfenced.getOrDefault(sector, new byte[512]);
    }
    for (Layer layer : layers.headMap(epoch, true).descendingMap().values()) {
      for (int i = layer.visible() - 1; i >= 0; i--) {
        if (layer.writes.get(i).sector == sector) {
          return layer.writes.get(i).data;
        }
      }
    }
    return new byte[512];
  }

  /** What {@link #flushed} makes stable: all that was written until now. */
  int mark(long epoch) {
    return layers.get(epoch).writes.size();
  }

  void flushed(long epoch, int mark) {
    layers
        .get(epoch)
        .writes
        .subList(0, Math.min(mark, layers.get(epoch).writes.size()))
        .forEach(w -> w.stable = true);
  }

  /** The host's page cache is gone: any of its unflushed writes may be lost. */
  void hostCrashed(int host) {
    for (Layer layer : layers.values()) {
      if (layer.host == host && layer.frozenAt < 0) {
        layer.writes.removeIf(w -> !w.stable && world.chance(0.7));
      }
    }
  }
}
