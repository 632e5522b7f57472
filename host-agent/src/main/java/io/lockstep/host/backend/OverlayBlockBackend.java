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
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A disk whose image is only read: what the guest writes goes into a sparse file that is gone when
 * the disk is closed, however this process ends.
 */
public final class OverlayBlockBackend implements BlockBackend {
  private static final Logger LOG = LoggerFactory.getLogger(OverlayBlockBackend.class);
  private static final byte[] NOTHING = {};

  private final FileChannel base;
  private final FileChannel overlay;
  private final long sectors;
  private final BlockRequests requests;
  private final AtomicBoolean closed = new AtomicBoolean();

  /** Sectors that are in the overlay. Used by the worker only. */
  private final BitSet written = new BitSet();

  private OverlayBlockBackend(Path image, FileChannel base, FileChannel overlay, long sectors) {
    this.base = base;
    this.overlay = overlay;
    this.sectors = sectors;
    requests = new BlockRequests(image, "overlay-" + image.getFileName(), this::performAll);
  }

  /**
   * Opens an image.
   *
   * @param directory where the sparse file goes; it must have room for what the guest writes
   * @throws SetupException with a sentence for the user
   */
  public static OverlayBlockBackend open(Path image, Path directory) throws SetupException {
    HostFiles.checkReadable("disk", image);
    try {
      FileChannel base = FileChannel.open(image, StandardOpenOption.READ);
      long size = base.size();
      if (size == 0 || size % ImageIo.SECTOR != 0 || size / ImageIo.SECTOR > Integer.MAX_VALUE) {
        base.close();
        throw new SetupException(
            "The disk %s has %d bytes; it must be a raw image of 512-byte sectors of at most 1 TiB."
                .formatted(image, size));
      }
      Path file = Files.createTempFile(directory, ".overlay", "");
      FileChannel overlay =
          FileChannel.open(
              file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.SPARSE);
      Files.delete(file);
      return new OverlayBlockBackend(image, base, overlay, size / ImageIo.SECTOR);
    } catch (IOException e) {
      throw new SetupException(
          "The disk %s cannot be opened: %s.".formatted(image, HostFiles.reason(e)), e);
    }
  }

  @Override
  public long sectors() {
    return sectors;
  }

  @Override
  public void submit(Output.BlockRequest output, InputPort completions) {
    requests.submit(output, completions);
  }

  private void performAll(List<Request> waiting) {
    for (Request request : waiting) {
      try {
        requests.done(request, perform(request.output()));
      } catch (IOException e) {
        requests.failed(request, e);
      }
    }
  }

  private byte[] perform(Output.BlockRequest r) throws IOException {
    switch (r.op()) {
      case READ -> {
        return read(r.sector(), Math.toIntExact(r.length()));
      }
      case WRITE -> write(r.sector(), r.data());
      case WRITE_ZEROES -> zero(r.sector(), r.length());
      case DISCARD, FLUSH -> {
        // Discarded contents are undefined (virtio 1.2 §5.2.6.1); nothing outlives the process.
      }
    }
    return NOTHING;
  }

  private byte[] read(long sector, int length) throws IOException {
    byte[] data = new byte[length];
    int first = Math.toIntExact(sector);
    int end = first + length / ImageIo.SECTOR;
    for (int at = first; at < end; ) {
      boolean isWritten = written.get(at);
      int change = isWritten ? written.nextClearBit(at) : written.nextSetBit(at);
      int until = change < 0 ? end : Math.min(change, end);
      ByteBuffer part =
          ByteBuffer.wrap(data, (at - first) * ImageIo.SECTOR, (until - at) * ImageIo.SECTOR);
      ImageIo.read(isWritten ? overlay : base, part, (long) at * ImageIo.SECTOR);
      at = until;
    }
    return data;
  }

  private void write(long sector, byte[] data) throws IOException {
    ImageIo.write(overlay, data, sector * ImageIo.SECTOR);
    int first = Math.toIntExact(sector);
    written.set(first, first + data.length / ImageIo.SECTOR);
  }

  private void zero(long sector, long length) throws IOException {
    for (long done = 0; done < length; done += ImageIo.ZERO_CHUNK) {
      write(
          sector + done / ImageIo.SECTOR,
          new byte[(int) Math.min(ImageIo.ZERO_CHUNK, length - done)]);
    }
  }

  /** Waits for requests in flight and forgets what was written. */
  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    requests.close();
    try {
      base.close();
      overlay.close();
    } catch (IOException e) {
      LOG.debug("closing a disk image", e);
    }
  }
}
