package io.lockstep.ft.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lockstep.ft.protocol.ClaimKind;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.ReplicaId;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.Output.BlockOp;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SharedDiskTest {
  private static final int DISK = 64 * SharedDisk.BLOCK;

  @TempDir Path dir;

  private CrashingStorage memory() {
    return new CrashingStorage(new Random(1), new byte[DISK]);
  }

  private static SharedDisk open(LayerFiles files, long epoch) throws StorageException {
    return new SharedDiskFollower(files).open(new Epoch(epoch), true);
  }

  private static void fill(SharedDisk disk, int block, int value) throws StorageException {
    byte[] bytes = new byte[SharedDisk.BLOCK];
    Arrays.fill(bytes, (byte) value);
    disk.write((long) block * SharedDisk.BLOCK, ByteBuffer.wrap(bytes));
  }

  private static int at(SharedDisk disk, int block) throws StorageException {
    ByteBuffer one = ByteBuffer.allocate(1);
    disk.read((long) block * SharedDisk.BLOCK, one);
    return one.get(0);
  }

  // ---- The cases of an index's end ----

  private CrashingStorage threeFlushes() throws StorageException {
    CrashingStorage storage = memory();
    var process = storage.new User();
    SharedDisk disk = open(process, 1);
    for (int i = 1; i <= 3; i++) {
      fill(disk, i, i);
      disk.flush();
    }
    process.kill();
    return storage;
  }

  private static int frameStart(byte[] index, int number) {
    int at = 0;
    for (int i = 0; i < number; i++) {
      at += IndexFrame.at(ByteBuffer.wrap(index), at).frame().length();
    }
    return at;
  }

  @Test
  void aCleanIndexGivesAllThatWasFlushed() throws Exception {
    SharedDisk disk = open(threeFlushes().new User(), 2);

    assertThat(new int[] {at(disk, 1), at(disk, 2), at(disk, 3)}).containsExactly(1, 2, 3);
  }

  @Test
  void aTornTailIsCutAtTheLastGoodFrame() throws Exception {
    CrashingStorage storage = threeFlushes();
    byte[] index = storage.content(LayerNames.index(1));
    int last = frameStart(index, 2);
    for (int cut = last + 1; cut < last + IndexFrame.HEAD + IndexEntry.BYTES; cut++) {
      storage.truncate(LayerNames.index(1), cut);
      SharedDisk disk = open(storage.new User(), 1000 + cut);

      assertThat(new int[] {at(disk, 1), at(disk, 2), at(disk, 3)}).containsExactly(1, 2, 0);
      disk.close();
    }
  }

  @Test
  void anIndexWithoutItsFirstFrameIsAnEmptyLayer() throws Exception {
    CrashingStorage storage = threeFlushes();
    storage.truncate(LayerNames.index(1), 10);
    SharedDisk disk = open(storage.new User(), 2);

    assertThat(at(disk, 1)).isZero();
  }

  @Test
  void damageBeforeTheTailIsReportedAndNothingIsRead() throws Exception {
    byte[] intact = threeFlushes().content(LayerNames.index(1)).clone();
    for (int at = 0; at < frameStart(intact, 2); at++) {
      CrashingStorage storage = threeFlushes();
      storage.content(LayerNames.index(1))[at] ^= 0x40;

      assertThatThrownBy(() -> open(storage.new User(), 2))
          .isInstanceOfSatisfying(
              StorageException.class,
              e -> assertThat(e.kind()).isEqualTo(StorageException.Kind.DAMAGED))
          .hasMessageContaining("is damaged at byte");
    }
  }

  @Test
  void aMissingLayerIsReported() throws Exception {
    CrashingStorage storage = threeFlushes();
    var process = storage.new User();
    SharedDisk disk = open(process, 2);
    fill(disk, 9, 9);
    disk.flush();
    process.kill();
    var vandal = storage.new User();
    vandal.delete(LayerNames.index(1));

    assertThatThrownBy(() -> open(storage.new User(), 3)).hasMessageContaining("is missing");
  }

  @Test
  void aLayerOfADiskOfAnotherSizeIsRefused() throws Exception {
    CrashingStorage storage = threeFlushes();
    var process = storage.new User();
    process.open(CrashingStorage.BASE, true).write(ByteBuffer.allocate(512), DISK);

    assertThatThrownBy(() -> open(storage.new User(), 2))
        .hasMessageContaining("use the image that it was made for");
  }

  // ---- Who may open ----

  @Test
  void aDiskWhoseOwnerLivesIsRefusedToWhoStartsButNotToWhoTakesOver() throws Exception {
    CrashingStorage storage = memory();
    SharedDisk first = open(storage.new User(), 1);
    fill(first, 1, 1);
    first.flush();

    assertThatThrownBy(() -> open(storage.new User(), 2))
        .hasMessageContaining("is in use by the process that owns epoch 1");
    assertThat(storage.names()).doesNotContain(LayerNames.index(2));

    SharedDisk next = new SharedDiskFollower(storage.new User()).goLive(new Epoch(2));
    assertThat(at(next, 1)).isEqualTo(1);
  }

  @Test
  void anOlderEpochIsRefusedAndTheSameOneToo() throws Exception {
    CrashingStorage storage = memory();
    open(storage.new User(), 5).close();

    assertThatThrownBy(() -> open(storage.new User(), 4))
        .isInstanceOfSatisfying(
            StorageException.class,
            e -> assertThat(e.kind()).isEqualTo(StorageException.Kind.OUTDATED));
    assertThatThrownBy(() -> open(storage.new User(), 5)).hasMessageContaining("exists already");
  }

  @Test
  void aPreparedFollowerSeesWhatWasFlushedUntilItGoesLive() throws Exception {
    CrashingStorage storage = memory();
    SharedDisk primary = open(storage.new User(), 1);
    SharedDiskFollower follower = new SharedDiskFollower(storage.new User());
    follower.prepare();
    fill(primary, 1, 1);
    primary.flush();
    follower.prepare();
    fill(primary, 1, 2);
    fill(primary, 2, 3);
    primary.flush();

    SharedDisk disk = follower.goLive(new Epoch(2));

    assertThat(at(disk, 1)).isEqualTo(2);
    assertThat(at(disk, 2)).isEqualTo(3);
  }

  // ---- On a real file system ----

  private Path baseImage() throws Exception {
    Path base = dir.resolve("disk.img");
    byte[] content = new byte[DISK];
    new Random(3).nextBytes(content);
    Files.write(base, content);
    return base;
  }

  @Test
  void aStoppedDiskBecomesAPlainImageAgain() throws Exception {
    Path base = baseImage();
    byte[] expected = Files.readAllBytes(base);
    StorageDirectory storage = StorageDirectory.open(dir.resolve("s"), "web");
    for (int epoch = 1; epoch <= 3; epoch++) {
      try (EpochStore epochs =
          new EpochStore(storage, new ReplicaId(new UUID(0, epoch)), "h", Duration.ofSeconds(30))) {
        epochs.claim(new Epoch(epoch), ClaimKind.START).join();
        SharedDisk.checkFree(storage, "root", base);
        try (SharedDisk disk = SharedDisk.start(storage, "root", base, new Epoch(epoch), epochs)) {
          byte[] data = new byte[3 * SharedDisk.SECTOR];
          Arrays.fill(data, (byte) epoch);
          int position = epoch * 10 * SharedDisk.SECTOR;
          disk.write(position, ByteBuffer.wrap(data));
          System.arraycopy(data, 0, expected, position, data.length);
          disk.zero(5 * SharedDisk.BLOCK - 100 * epoch, 9000);
          Arrays.fill(
              expected,
              5 * SharedDisk.BLOCK - 100 * epoch,
              5 * SharedDisk.BLOCK - 100 * epoch + 9000,
              (byte) 0);
        }
      }
    }

    assertThat(SharedDisk.merge(storage, "root", base, (copied, of) -> {})).isEqualTo(3);

    assertThat(Files.readAllBytes(base)).isEqualTo(expected);
    assertThat(storage.disk("root")).isEmptyDirectory();
  }

  @Test
  void anEpochThatWasLostMeanwhileOpensNoDisk() throws Exception {
    Path base = baseImage();
    StorageDirectory storage = StorageDirectory.open(dir.resolve("s"), "web");
    try (EpochStore epochs =
        new EpochStore(storage, new ReplicaId(new UUID(0, 1)), "h", Duration.ofSeconds(30))) {
      epochs.claim(new Epoch(1), ClaimKind.START).join();
      epochs.claim(new Epoch(2), ClaimKind.START).join();

      assertThatThrownBy(() -> SharedDisk.start(storage, "root", base, new Epoch(1), epochs))
          .hasMessageContaining("Epoch 1 is not the newest any more");
    }
  }

  @Test
  void theBackendServesRequestsAndReadsSeeTheWritesSubmittedBefore() throws Exception {
    StorageDirectory storage = StorageDirectory.open(dir.resolve("s"), "web");
    SharedDisk disk = SharedDisk.follow(storage, "root", baseImage()).goLive(new Epoch(1));
    var done = new LinkedBlockingQueue<Input>();
    byte[] data = new byte[8192];
    Arrays.fill(data, (byte) 7);
    try (var backend = new SharedDiskBackend(disk, e -> {})) {
      assertThat(backend.sectors()).isEqualTo(DISK / SharedDisk.SECTOR);
      backend.submit(new Output.BlockRequest(1, 1, BlockOp.WRITE, 3, 8192, data), done::add);
      backend.submit(new Output.BlockRequest(1, 2, BlockOp.READ, 3, 8192, new byte[0]), done::add);
      // Elsewhere: a write may overtake a read of the same place that is still in flight.
      backend.submit(
          new Output.BlockRequest(1, 3, BlockOp.WRITE_ZEROES, 40, 512, new byte[0]), done::add);
      backend.submit(new Output.BlockRequest(1, 4, BlockOp.READ, 40, 512, new byte[0]), done::add);
      backend.submit(
          new Output.BlockRequest(1, 5, BlockOp.DISCARD, 3, 512, new byte[0]), done::add);
      backend.submit(new Output.BlockRequest(1, 6, BlockOp.FLUSH, 0, 0, new byte[0]), done::add);
    }

    assertThat(done).hasSize(6);
    assertThat(done)
        .allSatisfy(
            i -> {
              Input.BlockCompletion c = (Input.BlockCompletion) i;
              assertThat(c.status()).isEqualTo(Input.BlockStatus.OK);
              if (c.requestId() == 2) {
                assertThat(c.data()).isEqualTo(data);
              }
              if (c.requestId() == 4) {
                assertThat(c.data()).isEqualTo(new byte[512]);
              }
            });
  }

  @Test
  void layersAreMergedWhileTheDiskIsInUse() throws Exception {
    CrashingStorage storage = memory();
    for (int epoch = 1; epoch <= 3; epoch++) {
      SharedDisk disk = open(storage.new User(), epoch);
      fill(disk, epoch, epoch);
      disk.close();
    }
    SharedDisk disk = open(storage.new User(), 4);
    assertThat(disk.olderLayers()).isEqualTo(3);

    while (LayerMerger.mergeOldest(disk)) {
      assertThat(new int[] {at(disk, 1), at(disk, 2), at(disk, 3)}).containsExactly(1, 2, 3);
    }

    assertThat(disk.olderLayers()).isZero();
    assertThat(storage.contentOfBase()[3 * SharedDisk.BLOCK]).isEqualTo((byte) 3);
  }
}
