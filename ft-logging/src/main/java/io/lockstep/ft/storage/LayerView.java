package io.lockstep.ft.storage;

import io.lockstep.ft.storage.StorageException.Kind;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;

/**
 * What the indexes of all layers say, brought up to date by {@link #refresh}. Opens nothing for
 * writing.
 *
 * <p>A layer is read on as long as it is the newest; when a newer one is there, it is read to its
 * end once more, and then never again: the owner of the newer one has gone live by then, and what a
 * stale process adds later concerns only blocks that the newer layer holds.
 */
final class LayerView {
  /** A file can vanish between two looks, when it was merged. */
  private static final int ATTEMPTS = 5;

  /** A layer as far as it has been read. */
  static final class Layer {
    final long epoch;
    final byte place;
    final IndexReader reader;
    final List<Long> below = new ArrayList<>();

    Layer(long epoch, byte place) {
      this.epoch = epoch;
      this.place = place;
      this.reader = new IndexReader(epoch);
    }
  }

  private final LayerFiles files;
  private final long diskBytes;
  private BlockMap map;
  private final TreeMap<Long, Layer> layers = new TreeMap<>();
  private long mergedTo;

  /** An index says what cannot be; reading it again would not help. */
  private StorageException wrong;

  LayerView(LayerFiles files, long diskBytes) {
    this.files = files;
    this.diskBytes = diskBytes;
    this.map = newMap();
  }

  private BlockMap newMap() {
    return new BlockMap((diskBytes + SharedDisk.BLOCK - 1) / SharedDisk.BLOCK);
  }

  BlockMap map() {
    return map;
  }

  Collection<Layer> layers() {
    return layers.values();
  }

  long mergedTo() {
    return mergedTo;
  }

  long newest() {
    return layers.isEmpty() ? 0 : layers.lastKey();
  }

  /** Reads what is new in layers older than {@code epoch}. */
  void refresh(long epoch) throws StorageException {
    if (wrong != null) {
      throw wrong;
    }
    StorageException last = null;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        readOn(LayerNames.layers(files.list()).headSet(epoch));
        return;
      } catch (NoSuchFileException e) {
        last = HostErrors.wrap("A layer of the shared disk vanished", e);
      } catch (IOException e) {
        throw HostErrors.wrap("The layers of the shared disk cannot be read", e);
      } catch (StorageException e) {
        // Perhaps because the owner wrote at the same time.
        last = e;
      }
    }
    throw last;
  }

  private void readOn(Set<Long> there) throws IOException, StorageException {
    readNew(there);
    while (!layers.isEmpty() && layers.firstKey() <= mergedTo) {
      // The base holds them, and perhaps newer ones that came and went between two looks: what we
      // know of a block may be older than the base. So we begin again, above what is merged.
      layers.clear();
      map = newMap();
      readNew(there);
    }
    for (Layer layer : layers.values()) {
      if (!there.contains(layer.epoch)) {
        throw missing(layer.epoch);
      }
      for (long below : layer.below) {
        if (below > mergedTo && !layers.containsKey(below)) {
          throw missing(below);
        }
      }
    }
  }

  private void readNew(Set<Long> there) throws IOException, StorageException {
    for (long epoch : there) {
      if (epoch >= newest() && epoch > mergedTo) {
        readLayer(layers.containsKey(epoch) ? layers.get(epoch) : add(epoch));
      }
    }
  }

  private StorageException missing(long epoch) {
    return new StorageException(
        Kind.DAMAGED,
        "The layer %s of the shared disk is missing; restore it, or the disk from a backup."
            .formatted(files.describe(LayerNames.index(epoch))));
  }

  private Layer add(long epoch) throws StorageException {
    boolean[] used = new boolean[BlockMap.SLOTS];
    layers.values().forEach(l -> used[(l.place & 0xff) - BlockMap.FIRST_SLOT] = true);
    // One is left for the layer of who goes live.
    for (int slot = 0; slot < BlockMap.SLOTS - 1; slot++) {
      if (!used[slot]) {
        Layer layer = new Layer(epoch, (byte) (slot + BlockMap.FIRST_SLOT));
        layers.put(epoch, layer);
        return layer;
      }
    }
    throw new StorageException(
        Kind.FULL,
        "The shared disk has %d layers; stop the virtual machine and merge them."
            .formatted(layers.size()));
  }

  /** A place that no layer has. */
  byte freePlace() {
    boolean[] used = new boolean[BlockMap.SLOTS];
    layers.values().forEach(l -> used[(l.place & 0xff) - BlockMap.FIRST_SLOT] = true);
    int slot = 0;
    while (used[slot]) {
      slot++;
    }
    return (byte) (slot + BlockMap.FIRST_SLOT);
  }

  private void readLayer(Layer layer) throws IOException, StorageException {
    String name = LayerNames.index(layer.epoch);
    // Opened anew each time: NFS promises that who opens sees what was forced before.
    try (BlockFile file = files.open(name, false)) {
      IndexCase found = layer.reader.readOn(file, e -> apply(layer, e));
      if (found == IndexCase.DAMAGED) {
        throw new StorageException(
            Kind.DAMAGED,
            "The index %s is damaged at byte %d (frame %d); restore the disk from a backup."
                .formatted(files.describe(name), layer.reader.position(), layer.reader.number()));
      }
      if (wrong != null) {
        throw wrong;
      }
    }
  }

  private void apply(Layer layer, IndexEntry entry) {
    switch (entry) {
      case IndexEntry.Disk e -> {
        if (e.blockBytes() != SharedDisk.BLOCK || e.diskBytes() != diskBytes) {
          wrong =
              new StorageException(
                  Kind.FOREIGN,
                  "The layer %s belongs to a disk of %d bytes in blocks of %d, and %s has %d in blocks of %d; use the image that it was made for."
                      .formatted(
                          files.describe(LayerNames.index(layer.epoch)),
                          e.diskBytes(),
                          e.blockBytes(),
                          files.describeBase(),
                          diskBytes,
                          SharedDisk.BLOCK));
        }
      }
      case IndexEntry.Below e -> layer.below.add(e.epoch());
      case IndexEntry.Data e -> mark(layer, e.start(), e.count(), layer.place);
      case IndexEntry.Zero e -> mark(layer, e.start(), e.count(), BlockMap.ZERO);
      case IndexEntry.Merged e -> mergedTo = Math.max(mergedTo, e.epoch());
    }
  }

  private void mark(Layer layer, long start, long count, byte place) {
    if (start < 0 || count < 0 || start > map.blocks() || count > map.blocks() - start) {
      wrong =
          new StorageException(
              Kind.DAMAGED,
              "The index %s names blocks beyond the disk; restore the disk from a backup."
                  .formatted(files.describe(LayerNames.index(layer.epoch))));
    } else {
      map.set(start, count, place);
    }
  }
}
