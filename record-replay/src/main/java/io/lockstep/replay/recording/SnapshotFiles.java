package io.lockstep.replay.recording;

import io.airlift.compress.v3.MalformedInputException;
import io.airlift.compress.v3.zstd.ZstdCompressor;
import io.airlift.compress.v3.zstd.ZstdJavaCompressor;
import io.airlift.compress.v3.zstd.ZstdJavaDecompressor;
import io.airlift.compress.v3.zstd.ZstdNativeCompressor;
import io.lockstep.replay.store.DiskSpace;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.snapshot.StateFormatException;
import io.lockstep.vm.snapshot.StateReader;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import java.util.zip.CheckedInputStream;
import java.util.zip.CheckedOutputStream;

/**
 * The directory of a recording's snapshots, a file each. Big endian:
 *
 * <pre>
 *  head   "LKSS" | version 4 | number 4 | base 4 | run 8 | point 8 | ticks 8 | next lsn 8 | checksum 4
 *  block  kind 1 | count 4 | length 4 | compressed length 4 | zstd data | checksum 4      (any number)
 *  end    kind 0 | checksum 4
 *
 *  kind 1  the machine's state
 *  kind 2  count pages: their indices, 4 bytes each, then their contents, 4096 bytes each
 *  kind 3  count indices of pages that became zero
 * </pre>
 *
 * <p>Each checksum is the CRC32C of all bytes of the file before it.
 */
final class SnapshotFiles {
  private static final int MAGIC = 0x4c4b5353;
  private static final int VERSION = 1;
  private static final int END = 0;
  private static final int STATE = 1;
  private static final int PAGES = 2;
  private static final int ZERO_PAGES = 3;
  private static final int PAGES_PER_BLOCK = 256;

  /** The quickest: a level more makes files a few percent smaller and takes twice as long. */
  private static final int LEVEL = 1;

  private static final int INDICES_PER_BLOCK = 65_536;
  private static final int BLOCK_BYTES_MAX = 64 << 20;

  /** More than what the log leaves free: it goes on when there is no room for snapshots. */
  private static final long RESERVE_BYTES = 128L << 20;

  private static final Pattern NAME = Pattern.compile("(\\d{6})\\.snap");

  private final Path directory;
  private final long runId;

  SnapshotFiles(Path directory, long runId) {
    this.directory = directory;
    this.runId = runId;
  }

  private Path file(int number) {
    return directory.resolve("%06d.snap".formatted(number));
  }

  /** Writes a snapshot; it is there completely or not at all. */
  void write(Snapshot snapshot) throws IOException {
    Files.createDirectories(directory);
    Path file = file(snapshot.number);
    Path temporary = file.resolveSibling(file.getFileName() + ".tmp");
    boolean done = false;
    try {
      writeTo(temporary, snapshot);
      Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
      done = true;
    } finally {
      if (!done) {
        Files.deleteIfExists(temporary);
      }
    }
  }

  private void writeTo(Path temporary, Snapshot snapshot) throws IOException {
    CRC32C crc = new CRC32C();
    try (OutputStream raw = new BufferedOutputStream(Files.newOutputStream(temporary), 1 << 16);
        DataOutputStream out = new DataOutputStream(new CheckedOutputStream(raw, crc))) {
      Writer writer = new Writer(out, crc, new DiskSpace(directory, RESERVE_BYTES));
      writer.head(snapshot, runId);
      writer.block(STATE, 0, snapshot.state, snapshot.state.length);
      writer.pages(snapshot);
      writer.zeroPages(snapshot.zeroPages);
      out.writeByte(END);
      writer.checksum();
    }
  }

  /** What snapshots are there, by number; files that are damaged at their head are left out. */
  Map<Integer, SnapshotInfo> list() throws IOException {
    Map<Integer, SnapshotInfo> out = new TreeMap<>();
    if (!Files.isDirectory(directory)) {
      return out;
    }
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.sorted().toList()) {
        var matcher = NAME.matcher(file.getFileName().toString());
        if (!matcher.matches()) {
          continue;
        }
        try (Reader reader = new Reader(file)) {
          SnapshotInfo info = reader.head();
          if (info.runId() == runId && info.number() == Integer.parseInt(matcher.group(1))) {
            out.put(info.number(), info);
          }
        } catch (RecordingException e) {
          // Damaged: the recording is replayed from an earlier one.
        }
      }
    }
    return out;
  }

  /**
   * Puts a new machine into the state of a snapshot.
   *
   * @throws RecordingException if a file that it needs is missing or damaged; the machine is then
   *     unusable
   */
  void load(int number, VirtualMachine machine) throws IOException {
    Deque<Integer> chain = new ArrayDeque<>();
    for (int n = number; n >= 0; ) {
      chain.push(n);
      try (Reader reader = new Reader(file(n))) {
        SnapshotInfo info = reader.head();
        if (info.runId() != runId || info.base() >= n) {
          throw new RecordingException(file(n) + " does not belong to this recording");
        }
        n = info.base();
      }
    }
    byte[] state = null;
    for (int n : chain) {
      try (Reader reader = new Reader(file(n))) {
        reader.head();
        state = reader.body(machine.ram());
      }
    }
    try {
      machine.restoreState(new StateReader(state));
    } catch (StateFormatException e) {
      throw new RecordingException(
          "snapshot %d cannot be restored: %s".formatted(number, e.getMessage()), e);
    }
  }

  /**
   * The native one where there is one for the host: that in Java takes ten times the processor time
   * until it is compiled, from a guest that boots on the next processor.
   */
  private static ZstdCompressor compressor() {
    return ZstdNativeCompressor.isEnabled()
        ? new ZstdNativeCompressor(LEVEL)
        : new ZstdJavaCompressor();
  }

  private static final class Writer {
    private final DataOutputStream out;
    private final CRC32C crc;
    private final DiskSpace space;
    private final ZstdCompressor zstd = compressor();
    private byte[] compressed = new byte[0];

    Writer(DataOutputStream out, CRC32C crc, DiskSpace space) {
      this.out = out;
      this.crc = crc;
      this.space = space;
    }

    void head(Snapshot snapshot, long runId) throws IOException {
      out.writeInt(MAGIC);
      out.writeInt(VERSION);
      out.writeInt(snapshot.number);
      out.writeInt(snapshot.base);
      out.writeLong(runId);
      out.writeLong(snapshot.point);
      out.writeLong(snapshot.ticks);
      out.writeLong(snapshot.nextLsn);
      checksum();
    }

    void pages(Snapshot snapshot) throws IOException {
      byte[] raw = new byte[PAGES_PER_BLOCK * (4 + GuestRam.PAGE)];
      for (int from = 0; from < snapshot.pages.length; from += PAGES_PER_BLOCK) {
        int count = Math.min(PAGES_PER_BLOCK, snapshot.pages.length - from);
        ByteBuffer indices = ByteBuffer.wrap(raw);
        for (int i = 0; i < count; i++) {
          indices.putInt(snapshot.pages[from + i]);
        }
        for (int i = 0; i < count; i++) {
          snapshot.readPage(from + i, raw, 4 * count + i * GuestRam.PAGE);
        }
        block(PAGES, count, raw, count * (4 + GuestRam.PAGE));
      }
    }

    void zeroPages(int[] pages) throws IOException {
      for (int from = 0; from < pages.length; from += INDICES_PER_BLOCK) {
        int count = Math.min(INDICES_PER_BLOCK, pages.length - from);
        ByteBuffer indices = ByteBuffer.allocate(4 * count);
        for (int i = 0; i < count; i++) {
          indices.putInt(pages[from + i]);
        }
        block(ZERO_PAGES, count, indices.array(), 4 * count);
      }
    }

    void block(int kind, int count, byte[] raw, int length) throws IOException {
      int bound = zstd.maxCompressedLength(length);
      if (compressed.length < bound) {
        compressed = new byte[bound];
      }
      int size = zstd.compress(raw, 0, length, compressed, 0, bound);
      space.use(size);
      out.writeByte(kind);
      out.writeInt(count);
      out.writeInt(length);
      out.writeInt(size);
      out.write(compressed, 0, size);
      checksum();
    }

    void checksum() throws IOException {
      out.writeInt((int) crc.getValue());
    }
  }

  private static final class Reader implements AutoCloseable {
    private final Path file;
    private final CRC32C crc = new CRC32C();
    private final DataInputStream in;
    private final ZstdJavaDecompressor zstd = new ZstdJavaDecompressor();

    Reader(Path file) throws IOException {
      this.file = file;
      if (!Files.isRegularFile(file)) {
        throw new RecordingException("snapshot " + file + " is missing");
      }
      InputStream raw = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
      in = new DataInputStream(new CheckedInputStream(raw, crc));
    }

    SnapshotInfo head() throws IOException {
      try {
        int magic = in.readInt();
        int version = in.readInt();
        int number = in.readInt();
        int base = in.readInt();
        long runId = in.readLong();
        long point = in.readLong();
        long ticks = in.readLong();
        long nextLsn = in.readLong();
        checksum();
        if (magic != MAGIC || version != VERSION) {
          throw new RecordingException("%s is no snapshot of version %d".formatted(file, VERSION));
        }
        return new SnapshotInfo(number, base, runId, point, ticks, nextLsn);
      } catch (EOFException e) {
        throw damaged(e);
      }
    }

    /** Fills RAM and returns the machine's state. */
    byte[] body(GuestRam ram) throws IOException {
      byte[] state = null;
      try {
        while (true) {
          int kind = in.readByte();
          if (kind == END) {
            checksum();
            if (state == null || in.read() >= 0) {
              throw damaged(null);
            }
            return state;
          }
          int count = in.readInt();
          byte[] raw = block();
          switch (kind) {
            case STATE -> state = raw;
            case PAGES -> pages(ram, count, raw);
            case ZERO_PAGES -> zeroPages(ram, count, raw);
            default -> throw damaged(null);
          }
        }
      } catch (EOFException | MalformedInputException | IndexOutOfBoundsException e) {
        throw damaged(e);
      }
    }

    private byte[] block() throws IOException {
      int length = in.readInt();
      int size = in.readInt();
      if (length < 0 || length > BLOCK_BYTES_MAX || size < 0 || size > BLOCK_BYTES_MAX) {
        throw damaged(null);
      }
      byte[] compressed = in.readNBytes(size);
      if (compressed.length < size) {
        throw new EOFException();
      }
      // Nothing is decompressed before it is known to be what was written.
      checksum();
      byte[] raw = new byte[length];
      if (zstd.decompress(compressed, 0, size, raw, 0, length) != length) {
        throw damaged(null);
      }
      return raw;
    }

    private void pages(GuestRam ram, int count, byte[] raw) throws IOException {
      if (count < 0 || raw.length != count * (4L + GuestRam.PAGE)) {
        throw damaged(null);
      }
      ByteBuffer indices = ByteBuffer.wrap(raw);
      for (int i = 0; i < count; i++) {
        ram.write(
            address(ram, indices.getInt()), raw, 4 * count + i * GuestRam.PAGE, GuestRam.PAGE);
      }
    }

    private void zeroPages(GuestRam ram, int count, byte[] raw) throws IOException {
      if (count < 0 || raw.length != 4L * count) {
        throw damaged(null);
      }
      ByteBuffer indices = ByteBuffer.wrap(raw);
      for (int i = 0; i < count; i++) {
        ram.zero(address(ram, indices.getInt()), GuestRam.PAGE);
      }
    }

    private long address(GuestRam ram, int page) throws RecordingException {
      if (page < 0 || page >= ram.pages()) {
        throw damaged(null);
      }
      return GuestRam.BASE + (long) page * GuestRam.PAGE;
    }

    private void checksum() throws IOException {
      int expected = (int) crc.getValue();
      if (in.readInt() != expected) {
        throw damaged(null);
      }
    }

    private RecordingException damaged(Exception cause) {
      return new RecordingException("snapshot " + file + " is damaged", cause);
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }
}
