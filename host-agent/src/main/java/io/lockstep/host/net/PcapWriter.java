package io.lockstep.host.net;

import io.lockstep.host.net.wire.Bytes;
import io.lockstep.host.net.wire.EtherType;
import io.lockstep.host.net.wire.Frame;
import io.lockstep.host.net.wire.InternetChecksum;
import io.lockstep.host.net.wire.Offload;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A capture file with nanosecond time stamps (pcap, magic 0xa1b23c4d, link type Ethernet). Frames
 * that are still to be cut or summed are written in one piece with their checksums completed.
 */
public final class PcapWriter implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(PcapWriter.class);
  private static final int MAGIC_NANOSECONDS = 0xa1b2_3c4d;
  private static final int LINK_ETHERNET = 1;
  private static final int BUFFER = 1 << 17;

  private final Path file;
  private final OutputStream out;
  private final byte[] scratch = new byte[Frame.MAX_LENGTH];
  private final ByteBuffer header = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
  private boolean failed;
  private boolean dirty;

  /**
   * Creates the file.
   *
   * @throws IOException with a sentence for the user
   */
  public PcapWriter(Path file) throws IOException {
    this.file = file;
    try {
      out = new BufferedOutputStream(Files.newOutputStream(file), BUFFER);
    } catch (IOException e) {
      throw new IOException("the capture " + file + " cannot be written: " + e.getMessage(), e);
    }
    header.putInt(MAGIC_NANOSECONDS).putShort((short) 2).putShort((short) 4);
    header.putInt(0).putInt(0).putInt(Frame.MAX_LENGTH).putInt(LINK_ETHERNET);
    out.write(header.array(), 0, 24);
    out.flush();
  }

  /** Adds a frame. A full disk ends the capture, not the network. */
  public void write(Frame frame) {
    if (failed || frame.length > Frame.MAX_LENGTH) {
      return;
    }
    byte[] data = frame.data;
    int offset = frame.offset;
    if (frame.needsChecksum()) {
      System.arraycopy(data, offset, scratch, 0, frame.length);
      complete(frame);
      data = scratch;
      offset = 0;
    }
    Instant now = Instant.now();
    header.clear();
    header.putInt((int) now.getEpochSecond()).putInt(now.getNano());
    header.putInt(frame.length).putInt(frame.length);
    try {
      out.write(header.array(), 0, 16);
      out.write(data, offset, frame.length);
      dirty = true;
    } catch (IOException e) {
      failed = true;
      LOG.warn("the capture {} ends here: {}", file, e.getMessage());
    }
  }

  private void complete(Frame frame) {
    int start = frame.checksumStart;
    int field = start + frame.checksumOffset;
    if (frame.gsoType == Frame.GSO_TCPV4 && start >= EtherType.HEADER + 20) {
      // With segmentation the sender may leave the length out of the pseudo header.
      int upper = frame.length - start;
      Bytes.put16(scratch, field, 0);
      long sum =
          InternetChecksum.pseudoHeader(Bytes.i32(scratch, 26), Bytes.i32(scratch, 30), 6, upper);
      Bytes.put16(
          scratch,
          field,
          InternetChecksum.finish(InternetChecksum.add(sum, scratch, start, upper)));
    } else {
      Offload.completeChecksum(scratch, 0, frame.length, start, frame.checksumOffset);
    }
  }

  /** Brings what was written to the file. */
  public void flush() {
    if (!dirty) {
      return;
    }
    dirty = false;
    try {
      out.flush();
    } catch (IOException e) {
      failed = true;
      LOG.warn("the capture {} ends here: {}", file, e.getMessage());
    }
  }

  @Override
  public void close() {
    flush();
    try {
      out.close();
    } catch (IOException e) {
      LOG.warn("closing the capture {} failed: {}", file, e.getMessage());
    }
  }
}
