package io.lockstep.ft.storage;

import io.lockstep.ft.protocol.ClaimKind;
import io.lockstep.ft.protocol.ClaimResult;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.ReplicaId;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The test-and-set of epochs on the shared storage.
 *
 * <p>Epoch 7 is the file {@code epochs/0000000000000000007.epoch}. Its content is written to a
 * draft and made stable first; then link(2) gives it its name. Of all who try, on any host, the
 * file system lets one succeed, and a name is never there without its whole content. Whoever finds
 * the name taken reads who has it: if it is himself, an earlier answer was lost (NFS repeats a
 * link(2) whose reply it missed), and he has won.
 *
 * <p>Storage can hang. Everything here is done on a thread of its own, and answers within the time
 * limit: what did not answer may or may not have taken place, and is asked again.
 */
public final class EpochStore implements AutoCloseable {
  private static final String DRAFT_PREFIX = "draft-";
  private static final Pattern EPOCH_FILE = Pattern.compile("(\\d{19})\\.epoch");
  private static final int RECORD_MAX = 4096;

  /** A draft can vanish when another wins and cleans up; then the answer is there. */
  private static final int ATTEMPTS = 3;

  private final Path directory;
  private final String vm;
  private final ReplicaId self;
  private final String host;
  private final Duration timeLimit;
  private final ExecutorService thread;
  private final AtomicLong drafts = new AtomicLong();

  /**
   * The epochs of a virtual machine.
   *
   * @param self who claims
   * @param host the name of this host, for a person who reads the record
   * @param timeLimit after which the storage counts as unreachable
   */
  public EpochStore(StorageDirectory storage, ReplicaId self, String host, Duration timeLimit) {
    this.directory = storage.epochs();
    this.vm = storage.vm();
    this.self = self;
    this.host = host.replaceAll("\\p{Cntrl}", "?");
    this.timeLimit = timeLimit;
    this.thread =
        Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("epoch-store").factory());
  }

  /**
   * Claims an epoch. It can be had only by one, and only directly after its predecessor.
   *
   * @return completes with an answer within the time limit, never exceptionally
   */
  public CompletableFuture<ClaimResult> claim(Epoch epoch, ClaimKind kind) {
    return ask(() -> claimNow(epoch, kind), ClaimResult.Unknown::new);
  }

  /**
   * Looks for the newest epoch.
   *
   * @return completes with an answer within the time limit, never exceptionally
   */
  public CompletableFuture<NewestEpoch> newest() {
    return ask(this::newestNow, NewestEpoch.Unreachable::new);
  }

  private interface Question<T> {
    T answer() throws IOException;
  }

  private <T> CompletableFuture<T> ask(Question<T> question, Function<String, ? extends T> silent) {
    var answer = new CompletableFuture<T>();
    try {
      thread.execute(
          () -> {
            // A question that nobody waits for any more is not asked: a claim must not be made
            // minutes after its answer was given up.
            if (!answer.isDone()) {
              answer.complete(answerOf(question, silent));
            }
          });
    } catch (RejectedExecutionException e) {
      answer.complete(silent.apply("the storage is closed here"));
    }
    String late = "the storage did not answer within " + timeLimit.toMillis() + " ms";
    return answer.completeOnTimeout(
        silent.apply(late), timeLimit.toMillis(), TimeUnit.MILLISECONDS);
  }

  private static <T> T answerOf(Question<T> question, Function<String, ? extends T> silent) {
    try {
      return question.answer();
    } catch (IOException e) {
      return silent.apply(HostErrors.reason(e));
    } catch (UnsupportedOperationException e) {
      return silent.apply("the storage's file system has no hard links");
    }
  }

  private ClaimResult claimNow(Epoch epoch, ClaimKind kind) throws IOException {
    Optional<EpochRecord> owner = read(epoch);
    if (owner.isPresent()) {
      return judge(owner.get());
    }
    long newest = newestNumber();
    if (newest > epoch.number()) {
      return lostTo(newest);
    }
    // If it has appeared since the look at it, the link below finds out whose it is.
    if (newest < epoch.number() - 1) {
      return new ClaimResult.Unknown("epoch %d cannot follow %d".formatted(epoch.number(), newest));
    }
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        return draftAndLink(epoch, kind);
      } catch (NoSuchFileException e) {
        // Our draft was cleaned away: somebody won an epoch, this one or an earlier one.
      }
    }
    return new ClaimResult.Unknown("drafts of claims vanish from " + directory);
  }

  private ClaimResult draftAndLink(Epoch epoch, ClaimKind kind) throws IOException {
    var record = new EpochRecord(epoch, self, kind, vm, host, Instant.now());
    Path draft = directory.resolve(DRAFT_PREFIX + self + "-" + drafts.incrementAndGet());
    try {
      DurableFiles.writeNew(draft, record.encode());
      Files.createLink(file(epoch.number()), draft);
    } catch (FileAlreadyExistsException e) {
      Optional<EpochRecord> owner = read(epoch);
      return owner.isPresent()
          ? judge(owner.get())
          : new ClaimResult.Unknown("the epoch was there and is gone");
    } finally {
      DurableFiles.deleteIfThere(draft);
    }
    DurableFiles.forceDirectory(directory);
    cleanDrafts();
    return new ClaimResult.Won();
  }

  private ClaimResult judge(EpochRecord owner) throws IOException {
    if (!owner.owner().equals(self)) {
      return new ClaimResult.Lost(owner.owner(), owner.kind());
    }
    // Perhaps we were interrupted between the link and this.
    DurableFiles.forceDirectory(directory);
    long newest = newestNumber();
    return newest > owner.epoch().number() ? lostTo(newest) : new ClaimResult.Won();
  }

  private ClaimResult lostTo(long number) throws IOException {
    return read(new Epoch(number))
        .<ClaimResult>map(o -> new ClaimResult.Lost(o.owner(), o.kind()))
        .orElseGet(() -> new ClaimResult.Unknown("the newest epoch is gone again"));
  }

  /**
   * Whoever made the drafts that are there now has crashed, or has lost: he finds out by his draft
   * being gone.
   */
  private void cleanDrafts() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file :
          files.filter(p -> p.getFileName().toString().startsWith(DRAFT_PREFIX)).toList()) {
        DurableFiles.deleteIfThere(file);
      }
    }
  }

  private NewestEpoch newestNow() throws IOException {
    long newest = newestNumber();
    if (newest == 0) {
      return new NewestEpoch.NoneYet();
    }
    return read(new Epoch(newest))
        .<NewestEpoch>map(NewestEpoch.Owned::new)
        .orElseGet(() -> new NewestEpoch.Unreachable("the newest epoch is gone again"));
  }

  private long newestNumber() throws IOException {
    long newest = 0;
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        Matcher name = EPOCH_FILE.matcher(file.getFileName().toString());
        if (name.matches()) {
          newest = Math.max(newest, number(name.group(1)));
        }
      }
    } catch (java.io.UncheckedIOException e) {
      throw e.getCause();
    }
    return newest;
  }

  private static long number(String digits) {
    try {
      return Long.parseLong(digits);
    } catch (NumberFormatException e) {
      return 0;
    }
  }

  private Optional<EpochRecord> read(Epoch epoch) throws IOException {
    Path file = file(epoch.number());
    byte[] bytes;
    try {
      bytes = DurableFiles.readStart(file, RECORD_MAX);
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
    Optional<EpochRecord> record =
        EpochRecord.decode(bytes).filter(r -> r.epoch().equals(epoch) && r.vm().equals(vm));
    if (record.isEmpty()) {
      throw new IOException(file + " is damaged: it is no record of this epoch");
    }
    return record;
  }

  private Path file(long number) {
    return directory.resolve("%019d.epoch".formatted(number));
  }

  /** Answers no more questions. Does not wait for the storage. */
  @Override
  public void close() {
    thread.shutdownNow();
  }
}
