package io.lockstep.replay.log;

import io.lockstep.vm.port.Input;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * Reads the stream that {@link LogEncoder} writes, in pieces of any size. Whatever the bytes are,
 * {@link #next} returns; it throws nothing, and it holds at most one frame and the last piece in
 * memory. Not thread-safe.
 */
public final class LogDecoder {
  private static final Input.BlockStatus[] STATUSES = Input.BlockStatus.values();
  private static final Input.ControlKind[] CONTROLS = Input.ControlKind.values();
  private static final LogEntry.EndReason[] REASONS = LogEntry.EndReason.values();

  private final DeltaState state = new DeltaState();
  private final CRC32C crc = new CRC32C();
  private byte[] in = new byte[4096];
  private int start;
  private int end;
  private long offset;
  private boolean headerSeen;
  private DecodeResult.Damaged damaged;

  // The cursor of the body that is being read; content becomes false when a field is not there or
  // makes no sense.
  private int at;
  private int bodyEnd;
  private boolean sound;

  /** Expects a stream's first byte next. */
  public LogDecoder() {}

  /** Adds bytes to read. They are copied. */
  public void feed(byte[] bytes, int from, int length) {
    reserve(length);
    System.arraycopy(bytes, from, in, end, length);
    end += length;
  }

  /** Adds all remaining bytes of the buffer. They are copied. */
  public void feed(ByteBuffer bytes) {
    int length = bytes.remaining();
    reserve(length);
    bytes.get(in, end, length);
    end += length;
  }

  /** The lsn of the next entry. */
  public long nextLsn() {
    return state.lsn;
  }

  /** The point of the last entry, or of the header. */
  public long point() {
    return state.point;
  }

  /**
   * Bytes from the start of the stream to the end of the last sound frame: where a damaged or torn
   * log is to be cut.
   */
  public long soundBytes() {
    return offset;
  }

  /** Bytes fed that do not belong to a frame returned so far. */
  public int pendingBytes() {
    return end - start;
  }

  /** A copy of those bytes. */
  public byte[] pending() {
    return Arrays.copyOfRange(in, start, end);
  }

  /**
   * Reads the next frame, if it is complete. After {@link DecodeResult.Damaged} every further call
   * returns the same.
   */
  public DecodeResult next() {
    if (damaged != null) {
      return damaged;
    }
    long prefix = 0;
    int cursor = start;
    for (int shift = 0; ; shift += 7) {
      if (cursor == end) {
        return DecodeResult.NEED_MORE;
      }
      byte b = in[cursor++];
      prefix |= (b & 0x7fL) << shift;
      if (b >= 0) {
        break;
      }
      if (cursor - start >= FrameType.MAX_PREFIX_BYTES) {
        return damage(LogDamage.Kind.BAD_FRAME, "a frame's length has too many bytes");
      }
    }
    int type = (int) prefix & (1 << FrameType.BITS) - 1;
    long bodyLength = prefix >>> FrameType.BITS;
    DecodeResult refused = refuse(type, bodyLength);
    if (refused != null) {
      return refused;
    }
    int length = cursor - start + (int) bodyLength;
    if (end - start < length + FrameType.CHECKSUM_BYTES) {
      return DecodeResult.NEED_MORE;
    }
    int expected = Checksum.of(crc, state.chain, in, start, length);
    int found = int32(start + length);
    if (expected != found) {
      return damage(
          LogDamage.Kind.BAD_CHECKSUM,
          "a frame of type %d and %d bytes has checksum %08x instead of %08x"
              .formatted(type, bodyLength, found, expected));
    }
    return frame(type, cursor, start + length);
  }

  private DecodeResult refuse(int type, long bodyLength) {
    if (bodyLength > FrameType.MAX_BODY) {
      return damage(LogDamage.Kind.BAD_FRAME, "a frame claims " + bodyLength + " bytes");
    }
    if (type == 0) {
      return damage(LogDamage.Kind.BAD_FRAME, "a frame has type 0");
    }
    if (!headerSeen && (type != FrameType.HEADER || bodyLength > 64)) {
      return damage(LogDamage.Kind.NOT_A_LOG, "the first bytes are not a log's header");
    }
    if (headerSeen && type == FrameType.HEADER) {
      return damage(LogDamage.Kind.BAD_FRAME, "a second header follows");
    }
    return null;
  }

  private DecodeResult frame(int type, int bodyStart, int checksumAt) {
    at = bodyStart;
    bodyEnd = checksumAt;
    sound = true;
    DecodeResult result = type == FrameType.HEADER ? header() : entry(type, checksumAt);
    if (result instanceof DecodeResult.Damaged) {
      return result;
    }
    state.chain = int32(checksumAt);
    int frameEnd = checksumAt + FrameType.CHECKSUM_BYTES;
    offset += frameEnd - start;
    start = frameEnd;
    return result;
  }

  private DecodeResult header() {
    int magic = bodyEnd - at >= 4 ? int32(at) : 0;
    at += 4;
    if (magic != FrameType.MAGIC) {
      return damage(LogDamage.Kind.NOT_A_LOG, "the header does not begin with LKSL");
    }
    long version = varint();
    if (version != LogHeader.VERSION) {
      return damage(
          LogDamage.Kind.WRONG_VERSION,
          "this is version %d of the log format, and this program reads version %d"
              .formatted(version, LogHeader.VERSION));
    }
    long firstLsn = varint();
    long startPoint = varint();
    long runId = fixed64();
    if (!sound || at != bodyEnd || firstLsn < 0 || startPoint < 0) {
      return damage(LogDamage.Kind.BAD_CONTENT, "the header's fields make no sense");
    }
    headerSeen = true;
    state.lsn = firstLsn;
    state.point = startPoint;
    return new DecodeResult.Header(new LogHeader(firstLsn, startPoint, runId));
  }

  private DecodeResult entry(int type, int checksumAt) {
    long point = state.point + varint();
    LogEntry entry = body(type, point);
    if (point < state.point || !sound || at != bodyEnd) {
      return damage(
          LogDamage.Kind.BAD_CONTENT, "the fields of a frame of type " + type + " make no sense");
    }
    state.point = point;
    return new DecodeResult.Decoded(
        state.lsn++, entry, checksumAt + FrameType.CHECKSUM_BYTES - start);
  }

  /**
   * The entry, if {@code sound} still is true afterwards; otherwise fields were missing or out of
   * range.
   */
  private LogEntry body(int type, long point) {
    return switch (type) {
      case FrameType.OUTPUT_MARK -> new LogEntry.OutputMark(point, state.outputs += varint());
      case FrameType.DIGEST -> new LogEntry.Digest(point, fixed64());
      case FrameType.EPOCH -> new LogEntry.EpochChange(point, varint());
      case FrameType.FLUSH -> new LogEntry.Flush(point);
      case FrameType.SNAPSHOT_MARK -> new LogEntry.SnapshotMark(point, small(Integer.MAX_VALUE));
      case FrameType.END -> new LogEntry.End(point, REASONS[small(REASONS.length - 1)]);
      default -> new LogEntry.InputEntry(point, input(type));
    };
  }

  private Input input(int type) {
    return switch (type) {
      case FrameType.CONSOLE_INPUT -> new Input.ConsoleInput(small(255), rest(0));
      case FrameType.BLOCK_COMPLETION -> {
        int device = small(255);
        state.requestId += DeltaState.unzigzag(varint());
        Input.BlockStatus status = STATUSES[small(STATUSES.length - 1)];
        yield new Input.BlockCompletion(device, state.requestId, status, rest(0));
      }
      case FrameType.PACKET -> new Input.PacketArrival(small(255), rest(0));
      case FrameType.PACKET_PLAIN ->
          new Input.PacketArrival(small(255), rest(FrameType.PLAIN_HEADER_BYTES));
      case FrameType.ENTROPY -> {
        int device = small(255);
        state.requestId += DeltaState.unzigzag(varint());
        yield new Input.EntropyDelivery(device, state.requestId, rest(0));
      }
      case FrameType.CONTROL -> new Input.Control(CONTROLS[small(CONTROLS.length - 1)]);
      // All other types have been refused or handled before.
      default -> clock(type);
    };
  }

  private Input clock(int type) {
    state.ticks += varint();
    if (type == FrameType.CLOCK) {
      state.slopeQ32 += DeltaState.unzigzag(varint());
      state.capSpan = varint();
    }
    return new Input.ClockReading(state.ticks, state.slopeQ32, state.ticks + state.capSpan);
  }

  private long varint() {
    long v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at >= bodyEnd) {
        break;
      }
      byte b = in[at++];
      v |= (b & 0x7fL) << shift;
      if (b >= 0) {
        return v;
      }
    }
    sound = false;
    return 0;
  }

  /** A varint of 0 to {@code max}. */
  private int small(int max) {
    long v = varint();
    if (v < 0 || v > max) {
      sound = false;
      return 0;
    }
    return (int) v;
  }

  private long fixed64() {
    if (bodyEnd - at < 8) {
      sound = false;
      return 0;
    }
    long v = int32(at) & 0xffff_ffffL | (long) int32(at + 4) << 32;
    at += 8;
    return v;
  }

  /** The rest of the body, behind {@code zeros} zero bytes. */
  private byte[] rest(int zeros) {
    byte[] data = new byte[zeros + bodyEnd - at];
    System.arraycopy(in, at, data, zeros, bodyEnd - at);
    at = bodyEnd;
    return data;
  }

  private int int32(int i) {
    return in[i] & 0xff | (in[i + 1] & 0xff) << 8 | (in[i + 2] & 0xff) << 16 | in[i + 3] << 24;
  }

  private DecodeResult damage(LogDamage.Kind kind, String detail) {
    damaged = new DecodeResult.Damaged(new LogDamage(kind, state.lsn, offset, detail));
    return damaged;
  }

  private void reserve(int more) {
    if (in.length - end >= more) {
      return;
    }
    int pending = end - start;
    byte[] target = in.length - pending >= more && pending <= in.length / 2 ? in : null;
    if (target == null) {
      target = new byte[Math.max(in.length, Math.addExact(pending, more) * 2)];
    }
    System.arraycopy(in, start, target, 0, pending);
    in = target;
    start = 0;
    end = pending;
  }
}
