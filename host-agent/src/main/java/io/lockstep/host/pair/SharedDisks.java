package io.lockstep.host.pair;

import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.storage.EpochStore;
import io.lockstep.ft.storage.LayerMerger;
import io.lockstep.ft.storage.SharedDisk;
import io.lockstep.ft.storage.SharedDiskBackend;
import io.lockstep.ft.storage.SharedDiskFollower;
import io.lockstep.ft.storage.StorageDirectory;
import io.lockstep.ft.storage.StorageException;
import io.lockstep.host.backend.FileBlockBackend;
import io.lockstep.host.vm.SetupException;
import io.lockstep.host.vm.VmSpec.DiskSpec;
import io.lockstep.replay.live.BlockBackend;
import io.lockstep.replay.live.InputPort;
import io.lockstep.vm.port.Output;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * The disks of a protected machine: a raw image that both hosts see, and a layer an epoch beside it
 * in the storage directory. A disk that the guest cannot write needs no layers.
 */
public final class SharedDisks {
  private static final int SECTOR = 512;
  private static final long MERGE_BYTES_PER_SECOND = 64L << 20;
  private static final long MERGE_LOOK_MS = 1_000;

  private SharedDisks() {}

  /** Which side opens the disks. */
  public enum Side {
    /** Starts the machine: nobody else may have the disks. */
    PRIMARY,
    /** Follows a machine that has them. */
    SECONDARY
  }

  /**
   * Opens the disks of a machine.
   *
   * @param notices gets lines for the operator
   * @throws SetupException if an image is missing, or another machine has it
   */
  public static List<DiskSource> open(
      StorageDirectory storage,
      EpochStore epochs,
      List<DiskSpec> disks,
      Side side,
      Consumer<String> notices)
      throws SetupException {
    List<DiskSource> sources = new ArrayList<>();
    try {
      for (int i = 0; i < disks.size(); i++) {
        DiskSpec disk = disks.get(i);
        if (!Files.isRegularFile(disk.image())) {
          throw new SetupException(
              "There is no disk image %s; make one with 'truncate -s 1G %1$s', or check the path."
                  .formatted(disk.image()));
        }
        sources.add(
            disk.readOnly()
                ? new ReadOnly(disk.image(), Files.size(disk.image()) / SECTOR)
                : new Layered(storage, epochs, "disk" + i, disk.image(), side, notices));
      }
      return sources;
    } catch (StorageException e) {
      throw new SetupException(e.getMessage(), e);
    } catch (IOException e) {
      throw new SetupException("A disk cannot be used: " + e.getMessage() + ".", e);
    }
  }

  /** An image that nobody writes. */
  private record ReadOnly(Path image, long sectors) implements DiskSource {
    @Override
    public BlockBackend open(Epoch epoch) throws IOException {
      try {
        return FileBlockBackend.open(image, true);
      } catch (SetupException e) {
        throw new IOException(e.getMessage(), e);
      }
    }

    @Override
    public void close() {}
  }

  /** An image with a layer for each epoch. */
  private static final class Layered implements DiskSource {
    private final StorageDirectory storage;
    private final EpochStore epochs;
    private final String name;
    private final Path base;
    private final Consumer<String> notices;
    private final AtomicBoolean starts;
    private final long sectors;
    private SharedDiskFollower follower;
    private final Thread preparer;

    Layered(
        StorageDirectory storage,
        EpochStore epochs,
        String name,
        Path base,
        Side side,
        Consumer<String> notices)
        throws StorageException {
      this.storage = storage;
      this.epochs = epochs;
      this.name = name;
      this.base = base;
      this.notices = notices;
      this.starts = new AtomicBoolean(side == Side.PRIMARY);
      if (side == Side.PRIMARY) {
        SharedDisk.checkFree(storage, name, base);
      }
      follower = SharedDisk.follow(storage, name, base);
      sectors = follower.sectors();
      preparer = Thread.ofVirtual().name("prepare-" + name).unstarted(this::prepareAgainAndAgain);
      if (side == Side.SECONDARY) {
        preparer.start();
      }
    }

    /**
     * Keeps what is known of the layers fresh, so that going live has only the newest entries to
     * read.
     */
    private void prepareAgainAndAgain() {
      try {
        SharedDiskFollower own = follower;
        while (true) {
          try {
            own.prepare();
          } catch (StorageException e) {
            // Going live looks again, and reports what is wrong then.
          }
          Thread.sleep(MERGE_LOOK_MS);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    @Override
    public long sectors() {
      return sectors;
    }

    @Override
    public BlockBackend open(Epoch epoch) throws IOException {
      preparer.interrupt();
      try {
        SharedDisk disk =
            starts.getAndSet(false)
                ? SharedDisk.start(storage, name, base, epoch, epochs)
                : follower.goLive(epoch);
        // A follower goes live once; after a switch-over and back another one is needed.
        follower = SharedDisk.follow(storage, name, base);
        return new Merging(disk, notices);
      } catch (StorageException e) {
        throw new IOException(e.getMessage(), e);
      }
    }

    @Override
    public void close() {
      preparer.interrupt();
    }
  }

  /** A live disk whose older layers are merged in the background. */
  private static final class Merging implements BlockBackend {
    private final BlockBackend backend;
    private final LayerMerger merger;

    Merging(SharedDisk disk, Consumer<String> notices) {
      backend = new SharedDiskBackend(disk, trouble -> notices.accept(trouble.getMessage()));
      merger = new LayerMerger(disk, MERGE_BYTES_PER_SECOND, MERGE_LOOK_MS);
    }

    @Override
    public long sectors() {
      return backend.sectors();
    }

    @Override
    public void submit(Output.BlockRequest request, InputPort completions) {
      backend.submit(request, completions);
    }

    @Override
    public void close() {
      merger.close();
      backend.close();
    }
  }
}
