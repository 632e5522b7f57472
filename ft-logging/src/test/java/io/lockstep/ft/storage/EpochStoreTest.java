package io.lockstep.ft.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lockstep.ft.protocol.ClaimKind;
import io.lockstep.ft.protocol.ClaimResult;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.ReplicaId;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EpochStoreTest {
  private static final Duration LIMIT = Duration.ofSeconds(30);
  private static final Epoch FIRST = new Epoch(1);
  private static final Epoch SECOND = new Epoch(2);

  @TempDir Path dir;
  private final List<EpochStore> open = new ArrayList<>();
  private final ReplicaId alice = new ReplicaId(new UUID(0, 1));
  private final ReplicaId bob = new ReplicaId(new UUID(0, 2));
  private StorageDirectory storage;

  @BeforeEach
  void makeStorage() throws StorageException {
    storage = StorageDirectory.open(dir.resolve("s"), "web");
  }

  @AfterEach
  void close() {
    open.forEach(EpochStore::close);
  }

  private EpochStore store(ReplicaId self) {
    return store(self, LIMIT);
  }

  private EpochStore store(ReplicaId self, Duration limit) {
    EpochStore store = new EpochStore(storage, self, "host-of-" + self, limit);
    open.add(store);
    return store;
  }

  private Path epochFile(long number) {
    return storage.root().resolve("epochs/%019d.epoch".formatted(number));
  }

  @Test
  void theFirstToClaimHasTheEpochAndTheSecondLearnsWho() {
    assertThat(store(alice).claim(FIRST, ClaimKind.START).join()).isEqualTo(new ClaimResult.Won());
    assertThat(store(bob).claim(FIRST, ClaimKind.ALONE).join())
        .isEqualTo(new ClaimResult.Lost(alice, ClaimKind.START));
  }

  @Test
  void theOwnerWhoMissedTheAnswerAsksAgainAndHasWon() {
    store(alice).claim(FIRST, ClaimKind.START).join();

    assertThat(store(alice).claim(FIRST, ClaimKind.START).join()).isEqualTo(new ClaimResult.Won());
  }

  @Test
  void anOwnerOfAnEpochThatIsNoLongerTheNewestHasLost() {
    store(alice).claim(FIRST, ClaimKind.START).join();
    store(bob).claim(SECOND, ClaimKind.ALONE).join();

    assertThat(store(alice).claim(FIRST, ClaimKind.START).join())
        .isEqualTo(new ClaimResult.Lost(bob, ClaimKind.ALONE));
  }

  @Test
  void anEpochCannotBeSkipped() {
    assertThat(store(alice).claim(SECOND, ClaimKind.START).join())
        .isInstanceOf(ClaimResult.Unknown.class);
    assertThat(store(alice).newest().join()).isEqualTo(new NewestEpoch.NoneYet());
  }

  @Test
  void exactlyOneOfManyWins() {
    int claimers = 8;
    for (long n = 1; n <= 20; n++) {
      Epoch epoch = new Epoch(n);
      List<CompletableFuture<ClaimResult>> answers = new ArrayList<>();
      for (int i = 0; i < claimers; i++) {
        EpochStore store = store(new ReplicaId(new UUID(n, i)));
        answers.add(store.claim(epoch, ClaimKind.ALONE));
      }
      List<ClaimResult> results = answers.stream().map(CompletableFuture::join).toList();

      List<Integer> winners = new ArrayList<>();
      for (int i = 0; i < claimers; i++) {
        if (results.get(i) instanceof ClaimResult.Won) {
          winners.add(i);
        }
      }
      assertThat(winners).hasSize(1);
      var lost =
          new ClaimResult.Lost(new ReplicaId(new UUID(n, winners.getFirst())), ClaimKind.ALONE);
      assertThat(results.stream().filter(r -> !(r instanceof ClaimResult.Won))).containsOnly(lost);
      open.forEach(EpochStore::close);
      open.clear();
    }
  }

  @Test
  void theNewestEpochTellsAPersonWhoOwnsIt() throws Exception {
    store(alice).claim(FIRST, ClaimKind.START).join();
    store(bob).claim(SECOND, ClaimKind.SWITCH_OVER).join();

    NewestEpoch newest = store(alice).newest().join();

    assertThat(newest)
        .isInstanceOfSatisfying(
            NewestEpoch.Owned.class,
            o -> {
              assertThat(o.owner().epoch()).isEqualTo(SECOND);
              assertThat(o.owner().owner()).isEqualTo(bob);
              assertThat(o.owner().kind()).isEqualTo(ClaimKind.SWITCH_OVER);
              assertThat(o.owner().host()).isEqualTo("host-of-" + bob);
            });
    assertThat(Files.readString(epochFile(2))).contains("vm web\n", "epoch 2\n", "time 2");
  }

  @Test
  void theDraftOfACrashedClaimIsNoEpochAndIsCleanedByTheNextWinner() throws Exception {
    Path draft = storage.root().resolve("epochs/draft-x-1");
    Files.writeString(draft, "lockstep-ep");

    assertThat(store(alice).newest().join()).isEqualTo(new NewestEpoch.NoneYet());
    assertThat(store(alice).claim(FIRST, ClaimKind.START).join()).isEqualTo(new ClaimResult.Won());
    assertThat(draft).doesNotExist();
  }

  @Test
  void aCrashBetweenLinkAndCleanUpLeavesTheEpochOwned() throws Exception {
    store(alice).claim(FIRST, ClaimKind.START).join();
    Files.createLink(storage.root().resolve("epochs/draft-" + alice + "-1"), epochFile(1));

    assertThat(store(bob).claim(FIRST, ClaimKind.ALONE).join())
        .isEqualTo(new ClaimResult.Lost(alice, ClaimKind.START));
    assertThat(store(bob).claim(SECOND, ClaimKind.ALONE).join()).isEqualTo(new ClaimResult.Won());
    try (Stream<Path> files = Files.list(storage.root().resolve("epochs"))) {
      assertThat(files).containsExactlyInAnyOrder(epochFile(1), epochFile(2));
    }
  }

  @Test
  void aDamagedRecordIsNeitherWonNorLost() throws Exception {
    Files.writeString(epochFile(1), "");

    assertThat(store(alice).claim(FIRST, ClaimKind.START).join())
        .isInstanceOfSatisfying(
            ClaimResult.Unknown.class, u -> assertThat(u.why()).contains("is damaged"));
    assertThat(store(alice).newest().join()).isInstanceOf(NewestEpoch.Unreachable.class);
  }

  @Test
  void storageThatIsGoneIsUnreachable() throws Exception {
    Files.delete(storage.root().resolve("epochs"));

    assertThat(store(alice).claim(FIRST, ClaimKind.START).join())
        .isInstanceOf(ClaimResult.Unknown.class);
    assertThat(store(alice).newest().join()).isInstanceOf(NewestEpoch.Unreachable.class);
  }

  @Test
  void storageThatHangsIsUnreachableAfterTheTimeLimitAndAnAbandonedClaimIsNotMadeLater()
      throws Exception {
    // A fifo without a writer hangs whoever opens it, as a dead NFS server does.
    assertThat(new ProcessBuilder("mkfifo", epochFile(1).toString()).start().waitFor()).isZero();
    EpochStore store = store(alice, Duration.ofMillis(50));

    assertThat(store.claim(FIRST, ClaimKind.START).join())
        .isEqualTo(new ClaimResult.Unknown("the storage did not answer within 50 ms"));
    CompletableFuture<ClaimResult> queued = store.claim(SECOND, ClaimKind.START);
    assertThat(queued.join()).isInstanceOf(ClaimResult.Unknown.class);

    // The storage comes back: the writer's end makes the hanging read see an empty file.
    Files.newOutputStream(epochFile(1)).close();
    EpochStore patient = store(bob);
    Files.delete(epochFile(1));
    assertThat(patient.newest().join()).isEqualTo(new NewestEpoch.NoneYet());
  }

  @Test
  void theWatchReportsANewerEpochAndIsSilentOtherwise() throws Exception {
    store(alice).claim(FIRST, ClaimKind.START).join();
    var seen = new java.util.concurrent.LinkedBlockingQueue<EpochRecord>();
    try (var watch = new EpochWatch(store(alice), () -> FIRST, Duration.ofMillis(1), seen::add)) {
      watch.look();
      assertThat(seen).isEmpty();
      store(bob).claim(SECOND, ClaimKind.ALONE).join();

      assertThat(seen.take().owner()).isEqualTo(bob);
    }
  }

  @Test
  void aDirectoryOfAnotherMachineVersionOrProgramIsRefusedWithASentence() throws Exception {
    assertThatThrownBy(() -> StorageDirectory.open(storage.root(), "mail"))
        .isInstanceOf(StorageException.class)
        .hasMessageContaining("belongs to the virtual machine web, not to mail; use another");

    Files.writeString(storage.root().resolve("lockstep-storage"), "lockstep-storage 9\nvm web\n");
    assertThatThrownBy(() -> StorageDirectory.open(storage.root(), "web"))
        .hasMessageContaining("has format 9 and this Lockstep knows 1");

    Path other = Files.createDirectory(dir.resolve("other"));
    Files.writeString(other.resolve("letter.txt"), "dear");
    assertThatThrownBy(() -> StorageDirectory.open(other, "web"))
        .hasMessageContaining("has other things in it");
  }

  @Test
  void aDraftOfTheVersionFileDoesNotKeepTheDirectoryFromBeingMade() throws Exception {
    Path half = Files.createDirectory(dir.resolve("half"));
    Files.writeString(half.resolve(".lockstep-storage-1"), "lockst");

    assertThat(StorageDirectory.open(half, "web").vm()).isEqualTo("web");
  }
}
