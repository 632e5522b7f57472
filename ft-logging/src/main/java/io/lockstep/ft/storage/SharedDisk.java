package io.lockstep.ft.storage;

import io.lockstep.ft.protocol.ClaimKind;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.storage.StorageException.Kind;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The shared virtual disk, open for the owner of an epoch.
 *
 * <p>Beneath is a raw image, the base. Above it lies a layer for each epoch in which the disk was
 * opened: a sparse data file in which every block has the same place as on the disk, and an index
 * that says which blocks are in it. Only the owner of its epoch writes a layer; a read takes the
 * block from the newest layer that has it. Why a process that was stopped, lost its epoch and wakes
 * up cannot change what the new owner reads is shown in docs/storage.md.
 *
 * <p>A block that the layer does not have yet is copied up when a part of it is written. A write to
 * a block that it has changes just the bytes that were written: never those beside them.
 *
 * <p>{@link #flush} makes data stable first, then the index entries of new blocks; so whatever the
 * index says is there is there. Before a flush nothing is in the index: a crash takes blocks away
 * that no flush has covered, and those a disk may lose.
 *
 * <p>Thread-safe. Locks, in this order: {@code flushing}, {@code writing}, {@code layout}.
 */
public final class SharedDisk implements Closeable {
  /** What the index counts in, in bytes. */
  static final int BLOCK = 4096;

  static final int SECTOR = 512;

  /** Above that many index entries a write flushes on its own, so that memory stays bounded. */
  private static final int PENDING_MAX = 1 << 16;

  private static final int ZEROS = 1 << 18;
  private static final Logger LOG = LoggerFactory.getLogger(SharedDisk.class);

  private final LayerFiles files;
  private final long bytes;
  private final long epoch;
  private final BlockMap map;
  private final byte own;
  private final BlockFile ownIndex;
  private final BlockFile ownData;
  private final IndexWriter writer;
  private final List<Long> below = new ArrayList<>();
  private final BlockFile base;

  private final Object flushing = new Object();
  private final Object writing = new Object();

  /** Held for reading while data is read or written, for writing when a layer goes away. */
  private final ReadWriteLock layout = new ReentrantReadWriteLock();

  private final PendingBlocks pending = new PendingBlocks();
  private final TreeMap<Long, OldLayer> older = new TreeMap<>();
  private final BlockFile[] atPlace = new BlockFile[BlockMap.FIRST_SLOT + BlockMap.SLOTS];
  private boolean dirty;
  private boolean olderStable;
  private boolean inDirectory;
  private volatile StorageException broken;
  private boolean closed;

  /** An older layer as far as it is frozen. */
  record OldLayer(long epoch, byte place, long indexEnd, BlockFile data) {}

  SharedDisk(
      LayerFiles files,
      long bytes,
      LayerView view,
      long epoch,
      BlockFile ownIndex,
      BlockFile ownData,
      SortedMap<Long, BlockFile> dataFiles,
      BlockFile base)
      throws IOException {
    this.files = files;
    this.bytes = bytes;
    this.epoch = epoch;
    this.map = view.map();
    this.own = view.freePlace();
    this.ownIndex = ownIndex;
    this.ownData = ownData;
    this.writer = new IndexWriter(ownIndex, epoch, new IndexReader(epoch));
    this.base = base;
    atPlace[own & 0xff] = ownData;
    for (LayerView.Layer l : view.layers()) {
      BlockFile data = dataFiles.get(l.epoch);
      older.put(l.epoch, new OldLayer(l.epoch, l.place, l.reader.position(), data));
      atPlace[l.place & 0xff] = data;
      below.add(l.epoch);
    }
  }

  /**
   * Opens the disk for a virtual machine that starts, after its epoch was won with {@link
   * ClaimKind#START}. Before the claim, {@link #checkFree} keeps it from pushing out one that runs.
   *
   * @param name of the disk's directory in the storage
   * @param base the raw image
   * @throws StorageException {@link Kind#IN_USE} if a process that may write has it, {@link
   *     Kind#OUTDATED} if the epoch is not the newest
   */
  public static SharedDisk start(
      StorageDirectory storage, String name, Path base, Epoch epoch, EpochStore epochs)
      throws StorageException {
    SharedDiskFollower follower = follow(storage, name, base);
    follower.prepare();
    SharedDisk disk = follower.open(epoch, true);
    NewestEpoch newest = epochs.newest().join();
    if (newest instanceof NewestEpoch.Owned o && o.owner().epoch().equals(epoch)) {
      return disk;
    }
    disk.close();
    throw new StorageException(
        Kind.OUTDATED,
        "Epoch %d is not the newest any more (%s); start again if the other one has ended."
            .formatted(epoch.number(), newest));
  }

  /** Begins to follow the disk, as a secondary. */
  public static SharedDiskFollower follow(StorageDirectory storage, String name, Path base)
      throws StorageException {
    return new SharedDiskFollower(new HostLayerFiles(storage.disk(name), base));
  }

  /**
   * Checks that no process which may write has the disk.
   *
   * @throws StorageException {@link Kind#IN_USE} if one has
   */
  public static void checkFree(StorageDirectory storage, String name, Path base)
      throws StorageException {
    try {
      SharedDiskFollower.refuseIfInUse(
          new HostLayerFiles(storage.disk(name), base), Long.MAX_VALUE);
    } catch (IOException e) {
      throw HostErrors.wrap("The layers of the shared disk cannot be looked at", e);
    }
  }

  /**
   * Copies all layers of a disk that nobody uses into its base, so that it is a plain raw image
   * again. Can be stopped at any moment and done again.
   *
   * @return how many layers there were
   */
  public static int merge(
      StorageDirectory storage, String name, Path base, LayerMerger.Progress progress)
      throws StorageException {
    return LayerMerger.mergeAll(new HostLayerFiles(storage.disk(name), base), progress);
  }

  /** Capacity in 512-byte sectors. */
  public long sectors() {
    return bytes / SECTOR;
  }

  /** Whose disk it is. */
  public Epoch epoch() {
    return new Epoch(epoch);
  }

  /** How many layers older than this one there are. */
  public int olderLayers() {
    layout.readLock().lock();
    try {
      return older.size();
    } finally {
      layout.readLock().unlock();
    }
  }

  /** Fills the buffer with what is at a position, in bytes. */
  public void read(long position, ByteBuffer into) throws StorageException {
    check(position, into.remaining());
    layout.readLock().lock();
    try {
      readRange(position, into);
    } catch (IOException e) {
      throw HostErrors.wrap("Reading the shared disk at byte %d".formatted(position), e);
    } finally {
      layout.readLock().unlock();
    }
  }

  private void readRange(long position, ByteBuffer into) throws IOException {
    long at = position;
    while (into.hasRemaining()) {
      long block = at / BLOCK;
      long blocks = (at + into.remaining() - 1) / BLOCK - block + 1;
      long end = (block + map.run(block, blocks)) * BLOCK;
      int n = (int) Math.min(into.remaining(), end - at);
      readAt(map.place(block), at, into.slice(into.position(), n));
      into.position(into.position() + n);
      at += n;
    }
  }

  private void readAt(byte place, long position, ByteBuffer into) throws IOException {
    switch (place) {
      case BlockMap.BASE -> base.read(into, position);
      case BlockMap.ZERO -> into.put(ByteBuffer.allocate(into.remaining()));
      default -> readLayer(place, position, into);
    }
  }

  private void readLayer(byte place, long position, ByteBuffer into) throws IOException {
    try {
      atPlace[place & 0xff].read(into.duplicate(), position);
    } catch (IOException e) {
      // A stale process that was merging may delete the layer when it wakes up, and NFS then takes
      // it away from us. By that time the base holds all of it.
      long layer = epochAt(place);
      if (layer == epoch || files.exists(LayerNames.index(layer))) {
        throw e;
      }
      base.read(into.duplicate(), position);
    }
  }

  private long epochAt(byte place) {
    return older.values().stream()
        .filter(l -> l.place() == place)
        .mapToLong(OldLayer::epoch)
        .findFirst()
        .orElse(epoch);
  }

  /** Writes all that remains of the buffer to a position, in bytes. */
  public void write(long position, ByteBuffer from) throws StorageException {
    check(position, from.remaining());
    if (!from.hasRemaining()) {
      return;
    }
    synchronized (writing) {
      checkUsable();
      layout.readLock().lock();
      try {
        writeRange(position, from);
      } catch (IOException e) {
        throw HostErrors.wrap("Writing the shared disk at byte %d".formatted(position), e);
      } finally {
        layout.readLock().unlock();
      }
    }
    flushIfMuchIsPending();
  }

  private void writeRange(long position, ByteBuffer from) throws IOException {
    long end = position + from.remaining();
    long first = position / BLOCK;
    long last = (end - 1) / BLOCK;
    long lastEnd = Math.min(bytes, (last + 1) * BLOCK);
    long start = map.place(first) == own ? position : first * BLOCK;
    long stop = map.place(last) == own ? end : lastEnd;
    dirty = true;
    if (start == position && stop == end) {
      ownData.write(from.duplicate(), start);
    } else {
      ByteBuffer whole = ByteBuffer.allocate(Math.toIntExact(stop - start));
      readRange(start, whole.limit((int) (position - start)));
      whole.limit((int) (end - start)).put(from.duplicate());
      readRange(end, whole.limit((int) (stop - start)));
      ownData.write(whole.flip(), start);
    }
    take(first, last + 1);
  }

  /** These blocks are in our data file now. */
  private void take(long from, long to) {
    for (long block = from; block < to; ) {
      long n = map.run(block, to - block);
      if (map.place(block) != own) {
        map.set(block, n, own);
        pending.data(block, n);
      }
      block += n;
    }
  }

  /** Makes a range zeros: without data, as far as whole blocks are not in this layer yet. */
  public void zero(long position, long length) throws StorageException {
    check(position, length);
    long end = position + length;
    long firstWhole = (position + BLOCK - 1) / BLOCK;
    long wholeEnd = end == bytes ? map.blocks() : end / BLOCK;
    if (firstWhole >= wholeEnd) {
      writeZeros(position, end);
      return;
    }
    writeZeros(position, Math.min(end, firstWhole * BLOCK));
    for (long block = firstWhole; block < wholeEnd; ) {
      block = zeroRun(block, wholeEnd);
    }
    writeZeros(Math.min(end, wholeEnd * BLOCK), end);
  }

  /** Blocks with the same place at once; returns where they end. */
  private long zeroRun(long block, long limit) throws StorageException {
    long run;
    synchronized (writing) {
      checkUsable();
      run = map.run(block, limit - block);
      byte place = map.place(block);
      if (place != own) {
        if (place != BlockMap.ZERO) {
          dirty = true;
          map.set(block, run, BlockMap.ZERO);
          pending.zero(block, run);
        }
        return block + run;
      }
    }
    writeZeros(block * BLOCK, Math.min(bytes, (block + run) * BLOCK));
    return block + run;
  }

  private void writeZeros(long from, long to) throws StorageException {
    for (long at = from; at < to; ) {
      int n = (int) Math.min(ZEROS, to - at);
      write(at, ByteBuffer.allocate(n));
      at += n;
    }
  }

  private void flushIfMuchIsPending() throws StorageException {
    boolean much;
    synchronized (writing) {
      much = pending.size() > PENDING_MAX;
    }
    if (much) {
      flush();
    }
  }

  /** Makes all writes stable that ended before. */
  public void flush() throws StorageException {
    flushWith(List.of());
  }

  private void flushWith(List<IndexEntry> more) throws StorageException {
    synchronized (flushing) {
      List<IndexEntry> entries;
      synchronized (writing) {
        checkUsable();
        if (!dirty && olderStable && more.isEmpty()) {
          return;
        }
        entries = pending.take();
        dirty = false;
      }
      try {
        makeStable(entries, more);
      } catch (IOException e) {
        synchronized (writing) {
          pending.giveBack(entries);
          dirty = true;
        }
        throw HostErrors.wrap("Flushing the shared disk", e);
      }
    }
  }

  private void makeStable(List<IndexEntry> entries, List<IndexEntry> more)
      throws IOException, StorageException {
    if (!olderStable) {
      makeOlderStable();
      olderStable = true;
    }
    forceOrBreak(ownData::force);
    if (entries.isEmpty() && more.isEmpty()) {
      return;
    }
    List<IndexEntry> frame = new ArrayList<>(entries.size() + more.size() + 1);
    if (!inDirectory) {
      // The names first: then an index never names a layer below that a crash has taken away.
      forceOrBreak(files::force);
      frame.add(new IndexEntry.Disk(BLOCK, bytes));
      below.forEach(l -> frame.add(new IndexEntry.Below(l)));
    }
    frame.addAll(entries);
    frame.addAll(more);
    writer.append(frame);
    forceOrBreak(ownIndex::force);
    inDirectory = true;
  }

  /**
   * An owner that was killed on this host left writes in the page cache. The guest may have read
   * them since; from its first flush on it may rely on them.
   */
  private void makeOlderStable() throws IOException, StorageException {
    for (OldLayer layer = oldest(); layer != null; layer = next(layer)) {
      if (layer.data() != null) {
        forceOrBreak(layer.data()::force);
        try (BlockFile index = files.open(LayerNames.index(layer.epoch()), false)) {
          forceOrBreak(index::force);
        } catch (NoSuchFileException e) {
          // Merged by a stale process: the base has it, and is stable.
        }
      }
    }
  }

  private interface Force {
    void run() throws IOException;
  }

  /**
   * After a failed fsync the operating system may have thrown away what it could not write, and
   * says yes the next time. So there is no next time.
   */
  private void forceOrBreak(Force force) throws StorageException {
    try {
      force.run();
    } catch (IOException e) {
      broken =
          new StorageException(
              HostErrors.isFull(e) ? Kind.FULL : Kind.FAILED,
              "The storage lost writes of the shared disk (%s); this replica can write no more."
                  .formatted(HostErrors.reason(e)),
              e);
      throw broken;
    }
  }

  private void check(long position, long length) {
    if (position < 0 || length < 0 || position > bytes || length > bytes - position) {
      throw new IllegalArgumentException(
          "%d bytes at %d are outside a disk of %d".formatted(length, position, bytes));
    }
  }

  private void checkUsable() throws StorageException {
    if (broken != null) {
      throw broken;
    }
    if (closed) {
      throw new StorageException(Kind.FAILED, "The shared disk is closed.");
    }
  }

  // ---- What the merger needs ----

  LayerFiles files() {
    return files;
  }

  BlockFile base() {
    return base;
  }

  /** The oldest layer, null if there is none but ours. */
  OldLayer oldest() {
    layout.readLock().lock();
    try {
      return older.isEmpty() ? null : older.firstEntry().getValue();
    } finally {
      layout.readLock().unlock();
    }
  }

  private OldLayer next(OldLayer layer) {
    layout.readLock().lock();
    try {
      var next = older.higherEntry(layer.epoch());
      return next == null ? null : next.getValue();
    } finally {
      layout.readLock().unlock();
    }
  }

  /** The base holds the layer: says so in our index, and reads from the base from now on. */
  void retire(OldLayer layer) throws StorageException {
    flushWith(List.of(new IndexEntry.Merged(layer.epoch())));
    synchronized (writing) {
      layout.writeLock().lock();
      try {
        map.replace(layer.place(), BlockMap.BASE);
        older.remove(layer.epoch());
        atPlace[layer.place() & 0xff] = null;
        if (layer.data() != null) {
          closeQuietly(layer.data());
        }
      } finally {
        layout.writeLock().unlock();
      }
    }
  }

  /** Flushes, gives up the locks and closes. What cannot be flushed any more is logged. */
  @Override
  public void close() {
    synchronized (flushing) {
      synchronized (writing) {
        if (closed) {
          return;
        }
      }
      try {
        flush();
      } catch (StorageException e) {
        LOG.warn("the last writes to the shared disk may be lost: {}", e.getMessage());
      }
      synchronized (writing) {
        closed = true;
        layout.writeLock().lock();
        try {
          List.of(ownIndex, ownData, base).forEach(SharedDisk::closeQuietly);
          older.values().forEach(l -> closeQuietly(l.data()));
        } finally {
          layout.writeLock().unlock();
        }
      }
    }
  }

  static void closeQuietly(BlockFile file) {
    try {
      if (file != null) {
        file.close();
      }
    } catch (IOException e) {
      LOG.debug("closing a file of the shared disk", e);
    }
  }
}
