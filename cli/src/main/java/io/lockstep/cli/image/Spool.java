package io.lockstep.cli.image;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * One temporary file for the contents of all unpacked files: packages hold more than the heap
 * should.
 */
final class Spool implements AutoCloseable {
  private static final int BUFFER_SIZE = 1 << 16;

  private final FileChannel channel;
  private long end;

  Spool(Path file) throws IOException {
    channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE,
            StandardOpenOption.DELETE_ON_CLOSE);
  }

  /** Copies exactly {@code size} bytes from {@code in}. */
  Content append(InputStream in, long size) throws IOException {
    long start = end;
    var buffer = new byte[BUFFER_SIZE];
    for (long left = size; left > 0; ) {
      int n = in.read(buffer, 0, (int) Math.min(left, buffer.length));
      if (n < 0) {
        throw new EOFException("archive ends inside a file");
      }
      var bytes = ByteBuffer.wrap(buffer, 0, n);
      while (bytes.hasRemaining()) {
        end += channel.write(bytes, end);
      }
      left -= n;
    }
    return new Slice(this, start, size);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  /** A part of the spool. */
  static final class Slice implements Content {
    private final Spool spool;
    private final long start;
    private final long size;

    private Slice(Spool spool, long start, long size) {
      this.spool = spool;
      this.start = start;
      this.size = size;
    }

    @Override
    public long size() {
      return size;
    }

    @Override
    public void writeTo(OutputStream out) throws IOException {
      var buffer = ByteBuffer.allocate(BUFFER_SIZE);
      for (long done = 0; done < size; ) {
        buffer.clear().limit((int) Math.min(buffer.capacity(), size - done));
        int n = spool.channel.read(buffer, start + done);
        if (n < 0) {
          throw new EOFException("spool file is shorter than it was");
        }
        out.write(buffer.array(), 0, n);
        done += n;
      }
    }

    @Override
    public byte[] bytes() throws IOException {
      var out = new ByteArrayOutputStream((int) Math.min(size, Integer.MAX_VALUE - 8));
      writeTo(out);
      return out.toByteArray();
    }
  }
}
