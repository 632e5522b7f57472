package io.lockstep.replay.store;

import io.lockstep.replay.FrameSink;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.TimeUnit;
import net.openhft.chronicle.bytes.Bytes;
import net.openhft.chronicle.queue.ExcerptAppender;
import net.openhft.chronicle.queue.impl.single.SingleChronicleQueue;
import net.openhft.chronicle.queue.impl.single.SingleChronicleQueueBuilder;
import net.openhft.posix.PosixAPI;

/**
 * Writes a log stream into a new Chronicle Queue. The queue is opened by the first {@link #write},
 * and nothing of Chronicle's is touched before, because the first queue of a process takes long to
 * open and a machine can run meanwhile. Belongs to one thread.
 *
 * <p>The queue's files are memory mapped with holes, where a full disk shows as a fault in the
 * middle of a copy. So room is checked before, with a reserve.
 */
public final class LogStoreWriter implements FrameSink, AutoCloseable {
  private static final long RESERVE_BYTES = 64L << 20;
  private static final long SYNC_INTERVAL_NANOS = TimeUnit.SECONDS.toNanos(1);

  static {
    // Read by Chronicle's classes when they are loaded.
    System.setProperty("chronicle.analytics.disable", "true");
    System.setProperty("chronicle.disk.monitor.disable", "true");
    System.setProperty("chronicle.announcer.disable", "true");
    System.setProperty("disable.thread.safety.check", "true");
  }

  private final Path directory;
  private final SyncPolicy policy;
  private final DiskSpace space;
  private SingleChronicleQueue queue;
  private ExcerptAppender appender;
  private Bytes<ByteBuffer> excerpt;
  private long day;
  private long fileBytes;
  private long syncedAtNanos = System.nanoTime();
  private boolean dirty;
  private boolean failed;

  /**
   * Makes the directory.
   *
   * @throws IOException if it cannot be made or holds a log already
   */
  public LogStoreWriter(Path directory, SyncPolicy policy) throws IOException {
    this.directory = directory;
    this.policy = policy;
    Files.createDirectories(directory);
    if (!LogStoreFiles.in(directory).isEmpty()) {
      throw new IOException(
          "there is a log in " + directory + " already, choose another directory");
    }
    this.space = new DiskSpace(directory, RESERVE_BYTES);
  }

  @Override
  public void write(byte[] bytes, int length, long lastLsn) throws IOException {
    if (failed) {
      throw new IOException("the log in " + directory + " failed before");
    }
    try {
      space.use(length);
      open();
      for (int at = 0; at < length; at += QueueFormat.EXCERPT_BYTES) {
        append(bytes, at, Math.min(QueueFormat.EXCERPT_BYTES, length - at));
      }
      dirty |= length > 0;
      syncIfDue();
    } catch (IOException e) {
      failed = true;
      throw e;
    } catch (InternalError e) {
      // A page of the mapped file for which the disk has no room, or that it cannot read.
      failed = true;
      throw new IOException(
          "the disk that holds %s is full, or has failed".formatted(directory), e);
    } catch (RuntimeException e) {
      // Chronicle wraps what the operating system says.
      failed = true;
      throw new IOException("cannot write the log in %s: %s".formatted(directory, e), e);
    }
  }

  private void open() {
    if (queue != null) {
      return;
    }
    // Of no use to a queue of files, and generates classes for half of the time that opening takes.
    PosixAPI.useNoOpPosixApi();
    queue =
        SingleChronicleQueueBuilder.binary(directory)
            .rollCycle(QueueFormat.BySize.INSTANCE)
            .blockSize(QueueFormat.BLOCK_BYTES)
            .timeProvider(() -> day * QueueFormat.DAY_MILLIS)
            .build();
    appender = queue.createAppender();
    excerpt = Bytes.elasticHeapByteBuffer(QueueFormat.EXCERPT_BYTES);
  }

  private void append(byte[] bytes, int offset, int length) {
    if (fileBytes > QueueFormat.FILE_BYTES) {
      day++;
      fileBytes = 0;
    }
    excerpt.clear();
    excerpt.write(bytes, offset, length);
    appender.writeBytes(excerpt);
    fileBytes += length;
  }

  private void syncIfDue() throws IOException {
    boolean due =
        switch (policy) {
          case NEVER -> false;
          case EVERY_SECOND -> System.nanoTime() - syncedAtNanos >= SYNC_INTERVAL_NANOS;
          case ALWAYS -> true;
        };
    if (due && dirty) {
      sync();
    }
  }

  /** Forces what was written to the disk. */
  public void sync() throws IOException {
    List<Path> files = LogStoreFiles.in(directory);
    // A file before the last one was forced when the next one began, or is forced now at the
    // latest.
    for (Path file : files.subList(Math.max(0, files.size() - 2), files.size())) {
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        channel.force(false);
      }
    }
    syncedAtNanos = System.nanoTime();
    dirty = false;
  }

  /** Closes the queue and gives back what its files were grown by in advance. */
  @Override
  public void close() throws IOException {
    try {
      if (appender != null) {
        appender.close();
      }
      if (queue != null) {
        queue.close();
      }
    } catch (RuntimeException | InternalError e) {
      throw new IOException("cannot close the log in %s: %s".formatted(directory, e), e);
    }
    for (Path file : LogStoreFiles.in(directory)) {
      LogStoreFiles.trim(file);
    }
    if (policy != SyncPolicy.NEVER) {
      sync();
    }
  }
}
