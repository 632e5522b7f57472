package io.lockstep.ft.storage;

import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.storage.StorageException.Kind;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A secondary's side of the shared disk: keeps up with the layers' indexes, opens nothing for
 * writing, reads no data. Belongs to one thread at a time.
 */
public final class SharedDiskFollower {
  private static final Logger LOG = LoggerFactory.getLogger(SharedDiskFollower.class);

  private final LayerFiles files;
  private final long diskBytes;
  private final LayerView view;

  SharedDiskFollower(LayerFiles files) throws StorageException {
    this.files = files;
    try {
      this.diskBytes = files.baseSize();
    } catch (IOException e) {
      throw HostErrors.wrap("The disk image %s cannot be used".formatted(files.describeBase()), e);
    }
    if (diskBytes == 0 || diskBytes % SharedDisk.SECTOR != 0) {
      throw new StorageException(
          Kind.FOREIGN,
          "The disk image %s has %d bytes, which is no whole number of 512-byte sectors; use a raw image."
              .formatted(files.describeBase(), diskBytes));
    }
    this.view = new LayerView(files, diskBytes);
  }

  /** Capacity in 512-byte sectors. */
  public long sectors() {
    return diskBytes / SharedDisk.SECTOR;
  }

  /**
   * Reads what has been added to the indexes. Called every second or so it keeps {@link #goLive}
   * short. May hang as long as the storage does.
   *
   * @throws StorageException if the disk could not be taken over as it is
   */
  public void prepare() throws StorageException {
    view.refresh(Long.MAX_VALUE);
  }

  /**
   * Opens the disk for the owner of an epoch: freezes what older layers hold, and makes a new layer
   * for all that is written from here on. Before the first read the caller issues again all writes
   * whose completion he has not seen, and those that no flush has covered. This object cannot be
   * used afterwards.
   *
   * @throws StorageException {@link Kind#OUTDATED} if a newer epoch has opened the disk
   */
  public SharedDisk goLive(Epoch epoch) throws StorageException {
    return open(epoch, false);
  }

  SharedDisk open(Epoch epoch, boolean alone) throws StorageException {
    List<BlockFile> opened = new ArrayList<>();
    List<String> made = new ArrayList<>();
    try {
      refuseIfOutdated(epoch);
      BlockFile data = create(opened, made, LayerNames.data(epoch.number()), diskBytes);
      BlockFile index = create(opened, made, LayerNames.index(epoch.number()), 0);
      if (!data.tryLock(false) || !index.tryLock(false)) {
        throw new StorageException(
            Kind.IN_USE, "Another process has the layer of epoch %d.".formatted(epoch.number()));
      }
      // Our layer is there, and locked, before we look who else is: of two who start at the same
      // time, one at least sees the other.
      refuseIfOutdated(epoch);
      if (alone) {
        refuseIfInUse(files, epoch.number());
      }
      view.refresh(epoch.number());
      SortedMap<Long, BlockFile> older = openOlder(opened, epoch);
      BlockFile base = openBase();
      opened.add(base);
      SharedDisk disk =
          new SharedDisk(files, diskBytes, view, epoch.number(), index, data, older, base);
      opened.clear();
      made.clear();
      return disk;
    } catch (FileAlreadyExistsException e) {
      throw new StorageException(
          Kind.IN_USE,
          "The layer of epoch %d exists already in %s; claim a new epoch."
              .formatted(epoch.number(), files.describe("")),
          e);
    } catch (IOException e) {
      throw HostErrors.wrap("The shared disk cannot be opened", e);
    } finally {
      takeBack(made);
      opened.forEach(SharedDisk::closeQuietly);
    }
  }

  private BlockFile create(List<BlockFile> opened, List<String> made, String name, long size)
      throws IOException {
    BlockFile file = files.create(name, size);
    opened.add(file);
    made.add(name);
    return file;
  }

  /** Index before data; what cannot be deleted is an empty layer, and does no harm. */
  private void takeBack(List<String> made) {
    for (String name : made.reversed()) {
      try {
        files.delete(name);
      } catch (IOException e) {
        LOG.debug("deleting an unused layer", e);
      }
    }
  }

  private void refuseIfOutdated(Epoch epoch) throws IOException, StorageException {
    var layers = LayerNames.layers(files.list());
    if (!layers.isEmpty() && layers.last() > epoch.number()) {
      throw new StorageException(
          Kind.OUTDATED,
          "Epoch %d has opened the shared disk, so epoch %d may not; join as a secondary instead."
              .formatted(layers.last(), epoch.number()));
    }
  }

  static void refuseIfInUse(LayerFiles files, long before) throws IOException, StorageException {
    for (long layer : LayerNames.layers(files.list()).headSet(before)) {
      if (files.isLocked(LayerNames.index(layer)) || files.isLocked(LayerNames.data(layer))) {
        throw new StorageException(
            Kind.IN_USE,
            "The shared disk is in use by the process that owns epoch %d; end that one first, on the host that the epoch's file names."
                .formatted(layer));
      }
    }
  }

  /** The data files of older layers. One that is gone was merged: then the view is read again. */
  private SortedMap<Long, BlockFile> openOlder(List<BlockFile> opened, Epoch epoch)
      throws IOException, StorageException {
    SortedMap<Long, BlockFile> older = new TreeMap<>();
    for (boolean complete = false; !complete; ) {
      complete = true;
      for (LayerView.Layer layer : List.copyOf(view.layers())) {
        if (older.containsKey(layer.epoch) || layer.reader.number() == 0) {
          continue;
        }
        if (!files.exists(LayerNames.data(layer.epoch))) {
          view.refresh(epoch.number());
          complete = false;
          if (view.layers().contains(layer)) {
            throw new StorageException(
                Kind.DAMAGED,
                "The file %s of the shared disk is missing; restore it, or the disk from a backup."
                    .formatted(files.describe(LayerNames.data(layer.epoch))));
          }
          break;
        }
        BlockFile data = files.open(LayerNames.data(layer.epoch), false);
        opened.add(data);
        older.put(layer.epoch, data);
      }
    }
    return older;
  }

  /** Locked for reading: no unprotected virtual machine can use the image at the same time. */
  private BlockFile openBase() throws IOException, StorageException {
    BlockFile base = files.openBase(true);
    if (!base.tryLock(true)) {
      base.close();
      throw new StorageException(
          Kind.IN_USE,
          "The disk image %s is in use by an unprotected virtual machine; stop that one first."
              .formatted(files.describeBase()));
    }
    return base;
  }
}
