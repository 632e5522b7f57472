package io.lockstep.replay.log;

import io.lockstep.vm.port.Input;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * Turns entries into the byte stream of {@code docs/log-format.md}:
 *
 * <pre>
 *  frame := prefix | body | checksum
 *
 *  prefix    varint: body length &lt;&lt; 4 | type
 *  body      fields of the type; all but the header's begin with varint: point - point of the entry before
 *  checksum  4 bytes, little endian: CRC32C of (checksum of the frame before | prefix | body)
 * </pre>
 *
 * <p>Frames collect in a buffer until {@link #clear}. Not thread-safe.
 */
public final class LogEncoder {
  private static final byte[] NOTHING = {};

  private final DeltaState state = new DeltaState();
  private final CRC32C crc = new CRC32C();
  private final byte[] fields = new byte[128];
  private int fieldsSize;
  private byte[] out = new byte[1024];
  private int size;

  /** Starts a stream; its header is the first thing in the buffer. */
  public LogEncoder(LogHeader header) {
    state.lsn = header.firstLsn();
    state.point = header.startPoint();
    for (int i = 0; i < 4; i++) {
      fields[fieldsSize++] = (byte) (FrameType.MAGIC >>> 8 * i);
    }
    varint(LogHeader.VERSION);
    varint(header.firstLsn());
    varint(header.startPoint());
    fixed64(header.runId());
    frame(FrameType.HEADER, NOTHING, 0);
  }

  /** The lsn of the next entry. */
  public long nextLsn() {
    return state.lsn;
  }

  /**
   * The bytes that have collected, valid up to {@link #size} until the next call of {@link
   * #append}.
   */
  public byte[] buffer() {
    return out;
  }

  /** How many bytes have collected. */
  public int size() {
    return size;
  }

  /** Forgets the collected bytes. */
  public void clear() {
    size = 0;
    if (out.length > 1 << 20) {
      out = new byte[1024];
    }
  }

  /** Appends one entry and returns the bytes of its frame alone. */
  public byte[] encode(LogEntry entry) {
    int before = size;
    append(entry);
    return Arrays.copyOfRange(out, before, size);
  }

  /**
   * Appends the frame of one entry to the buffer.
   *
   * @return the entry's lsn
   * @throws IllegalArgumentException if the entry's point lies before the last one's, or its data
   *     is longer than 16 MiB
   */
  public long append(LogEntry entry) {
    if (entry.point() < state.point) {
      throw new IllegalArgumentException(
          "entry %s lies before point %d of the entry before it".formatted(entry, state.point));
    }
    varint(entry.point() - state.point);
    switch (entry) {
      case LogEntry.InputEntry e -> input(e.input());
      case LogEntry.OutputMark e -> {
        varint(e.outputs() - state.outputs);
        state.outputs = e.outputs();
        frame(FrameType.OUTPUT_MARK, NOTHING, 0);
      }
      case LogEntry.Digest e -> {
        fixed64(e.digest());
        frame(FrameType.DIGEST, NOTHING, 0);
      }
      case LogEntry.EpochChange e -> {
        varint(e.epoch());
        frame(FrameType.EPOCH, NOTHING, 0);
      }
      case LogEntry.Flush e -> frame(FrameType.FLUSH, NOTHING, 0);
      case LogEntry.SnapshotMark e -> {
        varint(e.snapshot());
        frame(FrameType.SNAPSHOT_MARK, NOTHING, 0);
      }
      case LogEntry.End e -> {
        varint(e.reason().ordinal());
        frame(FrameType.END, NOTHING, 0);
      }
    }
    state.point = entry.point();
    return state.lsn++;
  }

  private void input(Input input) {
    switch (input) {
      case Input.ClockReading i -> clock(i);
      case Input.ConsoleInput i -> {
        varint(i.device());
        frame(FrameType.CONSOLE_INPUT, i.data(), 0);
      }
      case Input.BlockCompletion i -> {
        varint(i.device());
        varint(DeltaState.zigzag(i.requestId() - state.requestId));
        varint(i.status().ordinal());
        state.requestId = i.requestId();
        frame(FrameType.BLOCK_COMPLETION, i.data(), 0);
      }
      case Input.PacketArrival i -> {
        varint(i.device());
        if (isPlain(i.frame())) {
          frame(FrameType.PACKET_PLAIN, i.frame(), FrameType.PLAIN_HEADER_BYTES);
        } else {
          frame(FrameType.PACKET, i.frame(), 0);
        }
      }
      case Input.EntropyDelivery i -> {
        varint(i.device());
        varint(DeltaState.zigzag(i.requestId() - state.requestId));
        state.requestId = i.requestId();
        frame(FrameType.ENTROPY, i.data(), 0);
      }
      case Input.Control i -> {
        varint(i.kind().ordinal());
        frame(FrameType.CONTROL, NOTHING, 0);
      }
    }
  }

  private void clock(Input.ClockReading reading) {
    long capSpan = reading.capTicks() - reading.ticks();
    varint(reading.ticks() - state.ticks);
    state.ticks = reading.ticks();
    if (reading.slopeQ32() == state.slopeQ32 && capSpan == state.capSpan) {
      frame(FrameType.CLOCK_AS_BEFORE, NOTHING, 0);
      return;
    }
    varint(DeltaState.zigzag(reading.slopeQ32() - state.slopeQ32));
    varint(capSpan);
    state.slopeQ32 = reading.slopeQ32();
    state.capSpan = capSpan;
    frame(FrameType.CLOCK, NOTHING, 0);
  }

  private static boolean isPlain(byte[] frame) {
    if (frame.length < FrameType.PLAIN_HEADER_BYTES) {
      return false;
    }
    for (int i = 0; i < FrameType.PLAIN_HEADER_BYTES; i++) {
      if (frame[i] != 0) {
        return false;
      }
    }
    return true;
  }

  private void frame(int type, byte[] data, int dataOffset) {
    int dataLength = data.length - dataOffset;
    if (dataLength > FrameType.MAX_BODY - fieldsSize) {
      fieldsSize = 0;
      throw new IllegalArgumentException(
          "input of " + data.length + " bytes is longer than the log can hold");
    }
    int bodyLength = fieldsSize + dataLength;
    ensure(FrameType.MAX_PREFIX_BYTES + bodyLength + FrameType.CHECKSUM_BYTES);
    int start = size;
    long prefix = (long) bodyLength << FrameType.BITS | type;
    for (; prefix >= 0x80; prefix >>>= 7) {
      out[size++] = (byte) (prefix | 0x80);
    }
    out[size++] = (byte) prefix;
    System.arraycopy(fields, 0, out, size, fieldsSize);
    System.arraycopy(data, dataOffset, out, size + fieldsSize, dataLength);
    size += bodyLength;
    fieldsSize = 0;
    state.chain = Checksum.of(crc, state.chain, out, start, size - start);
    for (int i = 0; i < FrameType.CHECKSUM_BYTES; i++) {
      out[size++] = (byte) (state.chain >>> 8 * i);
    }
  }

  private void varint(long v) {
    for (; (v & ~0x7fL) != 0; v >>>= 7) {
      fields[fieldsSize++] = (byte) (v | 0x80);
    }
    fields[fieldsSize++] = (byte) v;
  }

  private void fixed64(long v) {
    for (int i = 0; i < 8; i++) {
      fields[fieldsSize++] = (byte) (v >>> 8 * i);
    }
  }

  private void ensure(int more) {
    if (out.length - size < more) {
      out = Arrays.copyOf(out, Math.max(out.length * 2, size + more));
    }
  }
}
