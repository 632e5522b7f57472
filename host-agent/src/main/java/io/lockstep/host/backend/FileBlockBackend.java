package io.lockstep.host.backend;

import io.lockstep.host.backend.BlockRequests.Request;
import io.lockstep.host.vm.HostFiles;
import io.lockstep.host.vm.SetupException;
import io.lockstep.replay.live.BlockBackend;
import io.lockstep.replay.live.InputPort;
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

  private final Path image;
  private final FileChannel channel;
  private final boolean readOnly;
  private final long sectors;
  private final BlockRequests requests;
  private final SerialWorker<Request> flushes;
  private final AtomicBoolean closed = new AtomicBoolean();
  private byte[] zeroCheck;

  private FileBlockBackend(Path image, FileChannel channel, boolean readOnly, long sectors) {
    this.image = image;
    this.channel = channel;
    this.readOnly = readOnly;
    this.sectors = sectors;
    String name = String.valueOf(image.getFileName());
    requests = new BlockRequests(image, "disk-" + name, this::performAll);
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
    if (size % ImageIo.SECTOR != 0) {
      throw new SetupException(
          ("The disk %s has %d bytes, which is no whole number of 512-byte sectors; is it a raw"
                  + " disk image? If so, round its size up with truncate -s %%512 %1$s.")
              .formatted(image, size));
    }
    return size / ImageIo.SECTOR;
  }

  @Override
  public long sectors() {
    return sectors;
  }

  @Override
  public void submit(Output.BlockRequest output, InputPort completions) {
    requests.submit(output, completions);
  }

  private void perform(Request request) {
    Output.BlockRequest r = request.output();
    try {
      switch (r.op()) {
        case READ -> {
          requests.done(request, read(r.sector() * ImageIo.SECTOR, Math.toIntExact(r.length())));
          return;
        }
        case WRITE -> write(r.sector() * ImageIo.SECTOR, r.data());
        case WRITE_ZEROES -> zero(r.sector() * ImageIo.SECTOR, r.length());
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
      requests.done(request);
    } catch (IOException e) {
      requests.failed(request, e);
    }
  }

  /** All that wait share one. */
  private void flushAll(List<Request> waiting) {
    try {
      channel.force(false);
      for (Request request : waiting) {
        requests.done(request);
      }
    } catch (IOException e) {
      for (Request request : waiting) {
        requests.failed(request, e);
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
    ImageIo.read(channel, ByteBuffer.wrap(data), position);
    return data;
  }

  private void write(long position, byte[] data) throws IOException {
    if (readOnly) {
      throw new IOException("it is attached read-only");
    }
    ImageIo.write(channel, data, position);
  }

  /** Leaves alone what is zero already, so that a sparse image stays sparse. */
  private void zero(long position, long length) throws IOException {
    if (zeroCheck == null) {
      zeroCheck = new byte[ImageIo.ZERO_CHUNK];
    }
    for (long done = 0; done < length; ) {
      int n = (int) Math.min(ImageIo.ZERO_CHUNK, length - done);
      ImageIo.read(channel, ByteBuffer.wrap(zeroCheck, 0, n), position + done);
      if (!isZero(zeroCheck, n)) {
        write(position + done, new byte[n]);
      }
      done += n;
    }
  }

  private static boolean isZero(byte[] data, int length) {
    return data[0] == 0 && Arrays.equals(data, 0, length - 1, data, 1, length);
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
