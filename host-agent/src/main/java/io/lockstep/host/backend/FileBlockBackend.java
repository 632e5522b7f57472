package io.lockstep.host.backend;

import io.lockstep.host.vm.HostFiles;
import io.lockstep.host.vm.SetupException;
import io.lockstep.replay.live.BlockBackend;
import io.lockstep.replay.live.InputPort;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Input.BlockStatus;
import io.lockstep.vm.port.Output;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A disk in a raw image file or on a block device of the host.
 *
 * <p>One thread does the requests in the order in which they came. A flush waits its turn there and
 * is then done by a second thread, so that reads need not wait for the host's disk: all writes
 * before it are with the operating system by then, and all that wait for a flush share the next
 * one.
 *
 * <p>While it is open the image is locked: exclusively, or with others who only read.
 */
public final class FileBlockBackend implements BlockBackend {
  private static final Logger LOG = LoggerFactory.getLogger(FileBlockBackend.class);
  private static final int SECTOR = 512;
  private static final int ZERO_CHUNK = 1 << 20;

  /**
   * Bytes of requests that wait or are under way. The device bounds them itself, but forgets them
   * when the guest resets it: then the vCPU thread waits here.
   */
  private static final int WAITING_BYTES_MAX = 64 << 20;

  /** What a request counts on top of its data. */
  private static final int REQUEST_WEIGHT = 4096;

  private static final byte[] NOTHING = {};

  private final Path image;
  private final FileChannel channel;
  private final boolean readOnly;
  private final long sectors;
  private final Semaphore room = new Semaphore(WAITING_BYTES_MAX);
  private final SerialWorker<Request> requests;
  private final SerialWorker<Request> flushes;
  private final AtomicBoolean warned = new AtomicBoolean();
  private final AtomicBoolean closed = new AtomicBoolean();
  private byte[] zeroCheck;

  private record Request(Output.BlockRequest output, InputPort completions) {
    int weight() {
      boolean hasData =
          switch (output.op()) {
            case READ, WRITE -> true;
            case FLUSH, DISCARD, WRITE_ZEROES -> false;
          };
      return Math.min(
          WAITING_BYTES_MAX, REQUEST_WEIGHT + (hasData ? Math.toIntExact(output.length()) : 0));
    }
  }

  private FileBlockBackend(Path image, FileChannel channel, boolean readOnly, long sectors) {
    this.image = image;
    this.channel = channel;
    this.readOnly = readOnly;
    this.sectors = sectors;
    String name = String.valueOf(image.getFileName());
    requests = new SerialWorker<>("disk-" + name, this::performAll);
    flushes = new SerialWorker<>("disk-flush-" + name, this::flushAll);
  }

  /**
   * Opens and locks an image.
   *
   * @throws SetupException if it is not a disk image, too small, or in use
   */
  public static FileBlockBackend open(Path image, boolean readOnly) throws SetupException {
    HostFiles.checkReadable("disk", image);
    if (!readOnly && !Files.isWritable(image)) {
      throw new SetupException(
          ("The disk %s may not be written; change its permissions, or attach it read-only with"
                  + " --disk %1$s,ro.")
              .formatted(image));
    }
    FileChannel channel = null;
    try {
      channel =
          readOnly
              ? FileChannel.open(image, StandardOpenOption.READ)
              : FileChannel.open(image, StandardOpenOption.READ, StandardOpenOption.WRITE);
      lock(image, channel, readOnly);
      long sectors = sectors(image, channel);
      var backend = new FileBlockBackend(image, channel, readOnly, sectors);
      channel = null;
      return backend;
    } catch (IOException e) {
      throw new SetupException(
          "The disk %s cannot be opened: %s.".formatted(image, HostFiles.reason(e)), e);
    } finally {
      closeQuietly(channel);
    }
  }

  private static void lock(Path image, FileChannel channel, boolean readOnly)
      throws IOException, SetupException {
    FileLock lock;
    try {
      lock = channel.tryLock(0, Long.MAX_VALUE, readOnly);
    } catch (OverlappingFileLockException e) {
      lock = null;
    }
    if (lock == null) {
      throw new SetupException(
          "The disk %s is in use by another virtual machine; stop that one first, or use a copy."
              .formatted(image));
    }
  }

  private static long sectors(Path image, FileChannel channel) throws IOException, SetupException {
    long size = channel.size();
    if (size == 0) {
      throw new SetupException(
          "The disk %s is empty; give it a size first, for example with truncate -s 1G %1$s."
              .formatted(image));
    }
    byte[] start = new byte[4];
    channel.read(ByteBuffer.wrap(start), 0);
    if (Arrays.equals(start, new byte[] {'Q', 'F', 'I', (byte) 0xfb})) {
      throw new SetupException(
          ("The disk %s is in QEMU's qcow2 format; convert it with qemu-img convert -O raw %1$s"
                  + " NEW.img and use that.")
              .formatted(image));
    }
    if (size % SECTOR != 0) {
      throw new SetupException(
          ("The disk %s has %d bytes, which is no whole number of 512-byte sectors; is it a raw"
                  + " disk image? If so, round its size up with truncate -s %%512 %1$s.")
              .formatted(image, size));
    }
    return size / SECTOR;
  }

  @Override
  public long sectors() {
    return sectors;
  }

  @Override
  public void submit(Output.BlockRequest output, InputPort completions) {
    Request request = new Request(output, completions);
    room.acquireUninterruptibly(request.weight());
    if (!requests.add(request)) {
      room.release(request.weight());
    }
  }

  private void perform(Request request) {
    Output.BlockRequest r = request.output();
    byte[] read = NOTHING;
    try {
      switch (r.op()) {
        case READ -> read = read(r.sector() * SECTOR, Math.toIntExact(r.length()));
        case WRITE -> write(r.sector() * SECTOR, r.data());
        case WRITE_ZEROES -> zero(r.sector() * SECTOR, r.length());
        case DISCARD -> {
          // What is there afterwards is undefined (virtio 1.2 §5.2.6.1), so nothing need be done.
        }
        case FLUSH -> {
          if (readOnly) {
            break;
          }
          if (flushes.add(request)) {
            return;
          }
          channel.force(false);
        }
      }
      complete(request, BlockStatus.OK, read);
    } catch (IOException e) {
      failed(request, e);
    }
  }

  /** All that wait share one. */
  private void flushAll(List<Request> waiting) {
    try {
      channel.force(false);
      for (Request request : waiting) {
        complete(request, BlockStatus.OK, NOTHING);
      }
    } catch (IOException e) {
      for (Request request : waiting) {
        failed(request, e);
      }
    }
  }

  private void performAll(List<Request> waiting) {
    for (Request request : waiting) {
      perform(request);
    }
  }

  private byte[] read(long position, int length) throws IOException {
    byte[] data = new byte[length];
    readInto(position, data, length);
    return data;
  }

  private void readInto(long position, byte[] data, int length) throws IOException {
    ByteBuffer buffer = ByteBuffer.wrap(data, 0, length);
    while (buffer.hasRemaining()) {
      int n = channel.read(buffer, position + buffer.position());
      if (n <= 0) {
        throw new IOException("the file ends before the disk does; somebody has shortened it");
      }
    }
  }

  private void write(long position, byte[] data) throws IOException {
    if (readOnly) {
      throw new IOException("it is attached read-only");
    }
    ByteBuffer buffer = ByteBuffer.wrap(data);
    while (buffer.hasRemaining()) {
      channel.write(buffer, position + buffer.position());
    }
  }

  /** Leaves alone what is zero already, so that a sparse image stays sparse. */
  private void zero(long position, long length) throws IOException {
    if (zeroCheck == null) {
      zeroCheck = new byte[ZERO_CHUNK];
    }
    for (long done = 0; done < length; ) {
      int n = (int) Math.min(ZERO_CHUNK, length - done);
      readInto(position + done, zeroCheck, n);
      if (!isZero(zeroCheck, n)) {
        write(position + done, new byte[n]);
      }
      done += n;
    }
  }

  private static boolean isZero(byte[] data, int length) {
    return data[0] == 0 && Arrays.equals(data, 0, length - 1, data, 1, length);
  }

  private void failed(Request request, IOException e) {
    if (warned.compareAndSet(false, true)) {
      LOG.warn(
          "the disk {} has failed, and the guest sees an I/O error: {} (further errors are not"
              + " reported)",
          image,
          HostFiles.reason(e));
    }
    complete(request, BlockStatus.IO_ERROR, NOTHING);
  }

  private void complete(Request request, BlockStatus status, byte[] data) {
    room.release(request.weight());
    Output.BlockRequest r = request.output();
    request.completions().offer(new Input.BlockCompletion(r.device(), r.requestId(), status, data));
  }

  /** Waits for requests in flight, brings what was written to the disk, unlocks and closes. */
  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    requests.close();
    flushes.close();
    try {
      if (!readOnly) {
        channel.force(false);
      }
    } catch (IOException e) {
      LOG.warn("the last writes to the disk {} may be lost: {}", image, HostFiles.reason(e));
    }
    closeQuietly(channel);
  }

  private static void closeQuietly(FileChannel channel) {
    if (channel != null) {
      try {
        channel.close();
      } catch (IOException e) {
        LOG.debug("closing a disk image", e);
      }
    }
  }
}
