package io.lockstep.ft.storage;

import io.lockstep.ft.storage.StorageException.Kind;
import io.lockstep.replay.Threads;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies layers down into the base, the oldest first, each after the process that made it has
 * ended.
 *
 * <p>Order is all: the data of the layer into the base; the base made stable; a newer index says
 * "merged"; the layer's index deleted, then its data. A crash anywhere leaves either the layer,
 * which hides the same data in the base and is copied again, or a statement that the base has it.
 */
public final class LayerMerger implements AutoCloseable {
  private static final int COPY = 1 << 18;

  /** In the layer's data file. */
  private static final byte HERE = BlockMap.FIRST_SLOT;

  private static final Logger LOG = LoggerFactory.getLogger(LayerMerger.class);

  /** Told how far a merge has come. */
  @FunctionalInterface
  public interface Progress {
    /** So many of so many bytes are copied. */
    void copied(long bytes, long of);
  }

  /** Asked before each piece; may wait, and says whether to go on. */
  private interface Pace {
    boolean mayCopy(int bytes);
  }

  private final SharedDisk disk;
  private final long bytesPerSecond;
  private final long lookNanos;
  private final Thread thread;
  private volatile boolean stop;

  /**
   * Starts to merge the layers beneath an open disk, on a thread of its own.
   *
   * @param bytesPerSecond what it may copy, so that the guest's requests are not held up
   * @param lookMillis how often it looks whether an old owner has ended
   */
  public LayerMerger(SharedDisk disk, long bytesPerSecond, long lookMillis) {
    this.disk = disk;
    this.bytesPerSecond = bytesPerSecond;
    this.lookNanos = TimeUnit.MILLISECONDS.toNanos(lookMillis);
    this.thread = Thread.ofPlatform().daemon().name("layer-merger").start(this::run);
  }

  private void run() {
    try {
      while (!stop && disk.oldest() != null) {
        if (!mergeOldest(disk, this::pace)) {
          LockSupport.parkNanos(lookNanos);
        }
      }
      if (!stop) {
        deleteLeftovers(disk.files(), disk.epoch().number());
      }
    } catch (StorageException e) {
      LOG.warn("layers of the shared disk stay unmerged: {}", e.getMessage());
    } catch (IOException e) {
      LOG.warn("layers of the shared disk stay unmerged: {}", HostErrors.reason(e));
    }
  }

  private boolean pace(int bytes) {
    if (!stop) {
      LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(1) * bytes / bytesPerSecond);
    }
    return !stop;
  }

  /** Stops between two pieces. */
  @Override
  public void close() {
    stop = true;
    LockSupport.unpark(thread);
    Threads.awaitEnd(thread);
  }

  /** Merges the oldest layer unless there is none or its owner lives; whether it has. */
  static boolean mergeOldest(SharedDisk disk) throws StorageException {
    try {
      return mergeOldest(disk, n -> true);
    } catch (IOException e) {
      throw HostErrors.wrap("Merging a layer of the shared disk", e);
    }
  }

  private static boolean mergeOldest(SharedDisk disk, Pace pace)
      throws IOException, StorageException {
    SharedDisk.OldLayer layer = disk.oldest();
    LayerFiles files = disk.files();
    if (layer == null
        || files.isLocked(LayerNames.index(layer.epoch()))
        || files.isLocked(LayerNames.data(layer.epoch()))) {
      return false;
    }
    if (layer.data() != null
        && !copy(files, layer.epoch(), layer.indexEnd(), layer.data(), disk.base(), pace)) {
      return false;
    }
    disk.base().force();
    disk.retire(layer);
    // Older leftovers first: this layer's index may be what says that the base has them.
    deleteLeftovers(files, layer.epoch());
    delete(files, layer.epoch());
    return true;
  }

  private static boolean copy(
      LayerFiles files, long epoch, long indexEnd, BlockFile data, BlockFile base, Pace pace)
      throws IOException {
    long size = base.size();
    BlockMap last = new BlockMap((size + SharedDisk.BLOCK - 1) / SharedDisk.BLOCK);
    try (BlockFile index = files.open(LayerNames.index(epoch), false)) {
      new IndexReader(epoch).readOn(index, indexEnd, e -> mark(last, e));
    } catch (NoSuchFileException e) {
      // A stale process that was merging has deleted it: then the base has it.
      return true;
    }
    for (long block = 0; block < last.blocks(); ) {
      long run = last.run(block, last.blocks() - block);
      byte place = last.place(block);
      if (place != BlockMap.BASE
          && !copy(place == HERE ? data : null, base, range(block, run, size), pace)) {
        return false;
      }
      block += run;
    }
    return true;
  }

  /**
   * What a block is at last, not on the way: another owner who has merged the same layer may read
   * the base at this time, and must not see zeros that are overwritten a moment later.
   */
  private static void mark(BlockMap last, IndexEntry entry) {
    switch (entry) {
      case IndexEntry.Data e -> last.set(e.start(), e.count(), HERE);
      case IndexEntry.Zero e -> last.set(e.start(), e.count(), BlockMap.ZERO);
      case IndexEntry.Disk e -> {}
      case IndexEntry.Below e -> {}
      case IndexEntry.Merged e -> {}
    }
  }

  private record Range(long start, long end) {}

  private static Range range(long block, long count, long size) {
    return new Range(block * SharedDisk.BLOCK, Math.min(size, (block + count) * SharedDisk.BLOCK));
  }

  /** From a data file, or zeros. */
  private static boolean copy(BlockFile from, BlockFile to, Range range, Pace pace)
      throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(COPY);
    for (long at = range.start(); at < range.end(); at += COPY) {
      int n = (int) Math.min(COPY, range.end() - at);
      if (!pace.mayCopy(n)) {
        return false;
      }
      if (from != null) {
        from.read(buffer.clear().limit(n), at);
      }
      to.write(buffer.clear().limit(n), at);
    }
    return true;
  }

  /** The index first: data without an index is nothing. */
  private static void delete(LayerFiles files, long epoch) throws IOException {
    files.delete(LayerNames.index(epoch));
    files.force();
    files.delete(LayerNames.data(epoch));
  }

  /** What crashes have left: layers that are merged, and data without an index. */
  private static void deleteLeftovers(LayerFiles files, long before) throws IOException {
    List<String> names = files.list();
    Set<Long> left = new TreeSet<>(LayerNames.layers(names).headSet(before));
    left.addAll(LayerNames.dataFiles(names).headSet(before));
    for (long epoch : left) {
      if (!files.isLocked(LayerNames.index(epoch)) && !files.isLocked(LayerNames.data(epoch))) {
        delete(files, epoch);
      }
    }
  }

  /** See {@link SharedDisk#merge}. */
  static int mergeAll(LayerFiles files, Progress progress) throws StorageException {
    List<BlockFile> opened = new ArrayList<>();
    try {
      int layers = LayerNames.layers(files.list()).size();
      if (layers > 0) {
        BlockFile base = files.openBase(true);
        opened.add(base);
        if (!base.tryLock(false)) {
          throw inUse(files.describeBase());
        }
        mergeAll(files, lockAll(files, opened), base, progress);
      }
      deleteLeftovers(files, Long.MAX_VALUE);
      return layers;
    } catch (IOException e) {
      throw HostErrors.wrap("Merging the layers of the shared disk", e);
    } finally {
      opened.forEach(SharedDisk::closeQuietly);
    }
  }

  private record Locked(LayerView.Layer layer, BlockFile data) {}

  /**
   * Locks the data files only: the indexes are opened and closed again, and a process loses its
   * locks on a file when it closes any channel to it.
   */
  private static List<Locked> lockAll(LayerFiles files, List<BlockFile> opened)
      throws IOException, StorageException {
    SharedDiskFollower.refuseIfInUse(files, Long.MAX_VALUE);
    LayerView view = new LayerView(files, files.baseSize());
    view.refresh(Long.MAX_VALUE);
    List<Locked> locked = new ArrayList<>();
    for (LayerView.Layer layer : view.layers()) {
      BlockFile data = null;
      if (layer.reader.number() > 0) {
        data = files.open(LayerNames.data(layer.epoch), true);
        opened.add(data);
        if (!data.tryLock(false)) {
          throw inUse(files.describe(LayerNames.data(layer.epoch)));
        }
      }
      locked.add(new Locked(layer, data));
    }
    // Of a virtual machine that starts and us at least one sees the other.
    long newest = view.newest();
    view.refresh(Long.MAX_VALUE);
    if (view.newest() != newest) {
      throw inUse(files.describe(""));
    }
    return locked;
  }

  private static void mergeAll(
      LayerFiles files, List<Locked> layers, BlockFile base, Progress progress) throws IOException {
    long[] copied = new long[1];
    long of = 0;
    for (Locked l : layers) {
      of += l.data() == null ? 0 : dataBytes(files, l);
    }
    long total = of;
    for (Locked l : layers) {
      if (l.data() != null) {
        copy(
            files,
            l.layer().epoch,
            l.layer().reader.position(),
            l.data(),
            base,
            n -> {
              copied[0] += n;
              progress.copied(copied[0], total);
              return true;
            });
      }
    }
    base.force();
    forget(files, layers);
  }

  /** From the oldest on; the newest says that the others are merged, and goes last. */
  private static void forget(LayerFiles files, List<Locked> layers) throws IOException {
    Locked newest = layers.stream().filter(l -> l.data() != null).reduce((a, b) -> b).orElse(null);
    if (newest != null && !newest.equals(layers.getFirst())) {
      long merged = newest.layer().epoch - 1;
      try (BlockFile index = files.open(LayerNames.index(newest.layer().epoch), true)) {
        new IndexWriter(index, newest.layer().epoch, newest.layer().reader)
            .append(List.of(new IndexEntry.Merged(merged)));
        index.force();
      }
    }
    for (Locked l : layers) {
      if (!l.equals(newest)) {
        delete(files, l.layer().epoch);
      }
    }
    if (newest != null) {
      delete(files, newest.layer().epoch);
    }
  }

  /** About what is to be copied. */
  private static long dataBytes(LayerFiles files, Locked l) throws IOException {
    long[] blocks = new long[1];
    try (BlockFile index = files.open(LayerNames.index(l.layer().epoch), false)) {
      new IndexReader(l.layer().epoch)
          .readOn(
              index,
              l.layer().reader.position(),
              e -> {
                switch (e) {
                  case IndexEntry.Data d -> blocks[0] += d.count();
                  case IndexEntry.Zero z -> blocks[0] += z.count();
                  case IndexEntry.Disk d -> {}
                  case IndexEntry.Below d -> {}
                  case IndexEntry.Merged d -> {}
                }
              });
    }
    return blocks[0] * SharedDisk.BLOCK;
  }

  private static StorageException inUse(String what) {
    return new StorageException(
        Kind.IN_USE,
        "%s is in use; stop the virtual machine before its layers are merged.".formatted(what));
  }
}
