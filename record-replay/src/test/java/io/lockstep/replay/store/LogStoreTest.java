package io.lockstep.replay.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lockstep.replay.log.DecodeResult;
import io.lockstep.replay.log.LogEncoder;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.log.LogHeader;
import io.lockstep.vm.port.Input;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LogStoreTest {
  private static final LogHeader HEADER = new LogHeader(0, 0, 42);
  private static final int ENTRIES = 60;

  @TempDir Path temp;

  @Test
  void aClosedLogIsReadBackComplete() throws IOException {
    Path log = write(true, ENTRIES);
    Read read = read(log);
    assertThat(read.state.logCase()).isEqualTo(LogCase.COMPLETE);
    assertThat(read.entries).hasSize(ENTRIES + 1);
    assertThat(read.state.nextLsn()).isEqualTo(ENTRIES + 1);
  }

  @Test
  void aSmallLogIsASmallFile() throws IOException {
    Path log = write(true, ENTRIES);
    assertThat(Files.size(dataFile(log))).isLessThan(32 << 10);
  }

  @Test
  void aLogThatIsStillBeingWrittenIsReadAsFarAsItHasCome() throws IOException {
    Path log = temp.resolve("live");
    try (LogStoreWriter writer = new LogStoreWriter(log, SyncPolicy.NEVER)) {
      LogEncoder encoder = new LogEncoder(HEADER);
      fill(encoder, ENTRIES);
      writer.write(encoder.buffer(), encoder.size(), ENTRIES - 1);
      Read read = read(log);
      assertThat(read.state.logCase()).isEqualTo(LogCase.NO_END);
      assertThat(read.entries).hasSize(ENTRIES);
      assertThat(read.state.lostBytes()).isZero();
    }
  }

  @Test
  void anEntryLongerThanAnExcerptAndManyFilesAreReadBack() throws IOException {
    Path log = temp.resolve("large");
    byte[] data = new byte[3 << 20];
    new Random(1).nextBytes(data);
    int n = 90;
    try (LogStoreWriter writer = new LogStoreWriter(log, SyncPolicy.NEVER)) {
      LogEncoder encoder = new LogEncoder(HEADER);
      for (int i = 0; i < n; i++) {
        encoder.append(block(i, data));
        writer.write(encoder.buffer(), encoder.size(), i);
        encoder.clear();
      }
      encoder.append(new LogEntry.End(n, LogEntry.EndReason.STOPPED));
      writer.write(encoder.buffer(), encoder.size(), n);
    }
    assertThat(LogStoreFiles.in(log)).hasSize(2);
    try (LogStoreReader reader = new LogStoreReader(log)) {
      for (int i = 0; i < n; i++) {
        LogEntry.InputEntry entry = (LogEntry.InputEntry) reader.next().entry();
        assertThat(Arrays.equals(((Input.BlockCompletion) entry.input()).data(), data)).isTrue();
      }
      assertThat(reader.next().entry()).isInstanceOf(LogEntry.End.class);
      assertThat(reader.next()).isNull();
      assertThat(reader.state().logCase()).isEqualTo(LogCase.COMPLETE);
    }
    Files.delete(LogStoreFiles.in(log).getFirst());
    assertThat(read(log).state.logCase()).isEqualTo(LogCase.MISSING_FILE);
  }

  @Test
  void aMissingFileInTheMiddleIsNamed() throws IOException {
    Path log = write(true, ENTRIES);
    Files.copy(dataFile(log), log.resolve(LogStoreFiles.name(2)));
    Read read = read(log);
    assertThat(read.state.logCase()).isEqualTo(LogCase.MISSING_FILE);
    assertThat(read.entries).hasSize(ENTRIES + 1);
  }

  @Test
  void aTornTailIsCutAtTheLastGoodEntry() throws IOException {
    Path log = write(true, ENTRIES);
    byte[] file = Files.readAllBytes(dataFile(log));
    Files.write(dataFile(log), Arrays.copyOf(file, file.length - 40));
    Read read = read(log);
    assertThat(read.state.logCase()).isEqualTo(LogCase.TORN_TAIL);
    assertThat(read.entries.size()).isBetween(ENTRIES - 3, ENTRIES);
    assertThat(read.state.lostBytes()).isPositive();
  }

  @Test
  void aChecksumMismatchInTheLastEntryIsADamagedTail() throws IOException {
    Path log = write(false, ENTRIES);
    flip(log, lastDataByte(log) - 1);
    Read read = read(log);
    assertThat(read.state.logCase()).isEqualTo(LogCase.DAMAGED_TAIL);
    assertThat(read.entries).hasSize(ENTRIES - 1);
  }

  @Test
  void damageBeforeTheTailIsReportedAndNothingBehindItIsRead() throws IOException {
    Path log = write(true, ENTRIES);
    byte[] file = Files.readAllBytes(dataFile(log));
    flip(log, file.length / 2 + 2000);
    Read read = read(log);
    assertThat(read.state.logCase()).isEqualTo(LogCase.DAMAGED_INSIDE);
    assertThat(read.entries).hasSizeBetween(1, ENTRIES - 1);
    assertThat(read.state.toString()).contains("last good entry");
  }

  @Test
  void anEmptyDirectoryAndAnEmptyQueueAreEmptyLogs() throws IOException {
    Path log = temp.resolve("empty");
    assertThat(read(log).state.logCase()).isEqualTo(LogCase.EMPTY);
    new LogStoreWriter(log, SyncPolicy.NEVER).close();
    assertThat(read(log).state.logCase()).isEqualTo(LogCase.EMPTY);
    Files.write(log.resolve(LogStoreFiles.name(0)), new byte[0]);
    assertThat(read(log).state.logCase()).isEqualTo(LogCase.EMPTY);
  }

  @Test
  void aStreamThatIsNoLogAndOneOfAnotherVersionAreRefused() throws IOException {
    Path noLog = temp.resolve("nolog");
    writeRaw(
        noLog,
        "what is this, if it is not a log?".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
    assertThat(read(noLog).state.logCase()).isEqualTo(LogCase.NOT_A_LOG);
  }

  @Test
  void dataBehindTheEndIsNotRead() throws IOException {
    LogEncoder encoder = new LogEncoder(HEADER);
    encoder.append(new LogEntry.End(5, LogEntry.EndReason.STOPPED));
    encoder.append(new LogEntry.Flush(6));
    Path log = temp.resolve("behind");
    writeRaw(log, Arrays.copyOf(encoder.buffer(), encoder.size()));
    Read read = read(log);
    assertThat(read.state.logCase()).isEqualTo(LogCase.DATA_AFTER_END);
    assertThat(read.entries).hasSize(1);
  }

  @Test
  void aSecondLogIsNotWrittenOverAnOldOne() throws IOException {
    Path log = write(true, 3);
    assertThatThrownBy(() -> new LogStoreWriter(log, SyncPolicy.NEVER))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("already");
  }

  /**
   * Whatever byte changes: what is read is a beginning of what was written, and if it is not all,
   * the case says so.
   */
  @Test
  void aFlippedByteAnywhereInTheFileNeverGivesAWrongEntry() throws IOException {
    Path log = write(true, 12);
    byte[] file = Files.readAllBytes(dataFile(log));
    List<String> sound = read(log).texts();
    int unharmed = 0;
    for (int at = 0; at < file.length; at++) {
      byte[] copy = file.clone();
      copy[at] ^= (byte) (at % 2 == 0 ? 0xff : 1 << at % 8);
      Files.write(dataFile(log), copy);
      unharmed += checkBeginning(log, sound, "flipped byte " + at);
    }
    // Only what belongs to the queue, not to the log, may change without effect on the entries.
    assertThat(unharmed).isLessThan(file.length);
  }

  @Test
  void aFileCutAnywhereGivesABeginningOfTheLog() throws IOException {
    Path log = write(true, 12);
    byte[] file = Files.readAllBytes(dataFile(log));
    List<String> sound = read(log).texts();
    for (int length = 0; length < file.length; length++) {
      Files.write(dataFile(log), Arrays.copyOf(file, length));
      checkBeginning(log, sound, "cut at " + length);
    }
  }

  private static int checkBeginning(Path log, List<String> sound, String what) throws IOException {
    Read read = read(log);
    List<String> texts = read.texts();
    assertThat(texts.size()).as(what).isLessThanOrEqualTo(sound.size());
    assertThat(texts).as(what).isEqualTo(sound.subList(0, texts.size()));
    if (texts.size() < sound.size()) {
      assertThat(read.state.logCase()).as(what).isNotEqualTo(LogCase.COMPLETE);
      return 0;
    }
    return 1;
  }

  private Path write(boolean withEnd, int n) throws IOException {
    Path log = temp.resolve("log" + withEnd + n);
    LogEncoder encoder = new LogEncoder(HEADER);
    fill(encoder, n);
    if (withEnd) {
      encoder.append(new LogEntry.End(1 << 20, LogEntry.EndReason.STOPPED));
    }
    writeRaw(log, Arrays.copyOf(encoder.buffer(), encoder.size()));
    return log;
  }

  private static void writeRaw(Path log, byte[] stream) throws IOException {
    try (LogStoreWriter writer = new LogStoreWriter(log, SyncPolicy.ALWAYS)) {
      for (int at = 0; at < stream.length; at += 700) {
        byte[] part = Arrays.copyOfRange(stream, at, Math.min(stream.length, at + 700));
        writer.write(part, part.length, 0);
      }
    }
  }

  private static void fill(LogEncoder encoder, int n) {
    Random random = new Random(3);
    for (int i = 0; i < n; i++) {
      byte[] data = new byte[random.nextInt(200)];
      random.nextBytes(data);
      encoder.append(block(i, data));
    }
  }

  private static LogEntry block(long i, byte[] data) {
    return new LogEntry.InputEntry(i, new Input.BlockCompletion(1, i, Input.BlockStatus.OK, data));
  }

  private static Path dataFile(Path log) throws IOException {
    return LogStoreFiles.in(log).getFirst();
  }

  private static int lastDataByte(Path log) throws IOException {
    byte[] file = Files.readAllBytes(dataFile(log));
    int at = file.length - 1;
    while (file[at] == 0) {
      at--;
    }
    return at;
  }

  private static void flip(Path log, int at) throws IOException {
    byte[] file = Files.readAllBytes(dataFile(log));
    file[at] ^= 0x10;
    Files.write(dataFile(log), file);
  }

  private static Read read(Path log) throws IOException {
    Read read = new Read();
    try (LogStoreReader reader = new LogStoreReader(log)) {
      for (DecodeResult.Decoded d = reader.next(); d != null; d = reader.next()) {
        read.entries.add(d.entry());
      }
      read.state = reader.state();
    }
    return read;
  }

  private static final class Read {
    final List<LogEntry> entries = new ArrayList<>();
    LogState state;

    List<String> texts() {
      return entries.stream()
          .map(
              e ->
                  e instanceof LogEntry.InputEntry i && i.input() instanceof Input.BlockCompletion b
                      ? i.point() + " " + b.requestId() + Arrays.hashCode(b.data())
                      : e.toString())
          .toList();
    }
  }
}
