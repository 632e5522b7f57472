package io.lockstep.ft.protocol;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.UUID;

/**
 * Messages as bytes. A frame of the transport holds exactly one message:
 *
 * <pre>
 *  byte 0      | then
 *  ------------+-------------------------------------------------------------------------------
 *   1 Hello    | version, vm (text), definition (text), replica, attachId, storedNext, listen (text)
 *   2 Welcome  | vm (text), primary (replica), epoch, attachId, resumed (0 or 1), listen (text), machine (bytes)
 *   3 Refused  | why (text)
 *   4 Pages    | attachId, pages (rest)
 *   5 Final    | attachId, startLsn, point, digest (8 bytes), state (rest)
 *   6 Attached | attachId
 *   7 Protect  | attachId, fromLsn
 *   8 LogBatch | attachId, firstLsn, count, releasedNext, entries (rest)
 *   9 Ack      | attachId, storedNext, replayedNext, beat
 *  10 Beat     | attachId, beat, releasedNext, durableNext
 *  11 Resign   | attachId, why (text)
 *  12 Bye      | attachId, why (text)
 *  13 SwitchOver | attachId, finalNext
 *  14 TookOver | attachId, epoch, finalNext
 * </pre>
 *
 * Numbers are unsigned LEB128 of at most 9 bytes (0 to 2^63-1); texts (UTF-8) and bytes have their
 * length in front as a number; a replica is 16 bytes, most significant first; <em>rest</em> reaches
 * to the frame's end. Nothing may follow the last field.
 */
public final class MessageCodec {
  /** Version of messages and protocol; both sides must have the same. */
  public static final int VERSION = 1;

  /** The largest message, in bytes. */
  public static final int MESSAGE_MAX = 32 << 20;

  private static final int TEXT_MAX = 64 << 10;

  private MessageCodec() {}

  /** Bytes that are not a message. The connection they came from is closed. */
  public static final class BadMessage extends Exception {
    private static final long serialVersionUID = 1L;

    /** Makes one with a sentence for the log. */
    public BadMessage(String message) {
      super(message);
    }
  }

  /** The bytes of a message. */
  public static byte[] encode(Message message) {
    return switch (message) {
      case Message.Hello m ->
          new Writer(1, 256 + m.definition().length())
              .number(m.version())
              .text(m.vm())
              .text(m.definition())
              .replica(m.replica())
              .number(m.attachId())
              .number(m.storedNext())
              .text(m.listen())
              .done();
      case Message.Welcome m ->
          new Writer(2, 256 + m.machine().length)
              .text(m.vm())
              .replica(m.primary())
              .number(m.epoch().number())
              .number(m.attachId())
              .number(m.resumed() ? 1 : 0)
              .text(m.listen())
              .number(m.machine().length)
              .rest(m.machine())
              .done();
      case Message.Refused m -> new Writer(3, 128).text(m.why()).done();
      case Message.Pages m ->
          new Writer(4, 16 + m.bytes().length).number(m.attachId()).rest(m.bytes()).done();
      case Message.Final m ->
          new Writer(5, 48 + m.state().length)
              .number(m.attachId())
              .number(m.startLsn())
              .number(m.point())
              .fixed(m.digest())
              .rest(m.state())
              .done();
      case Message.Attached m -> new Writer(6, 16).number(m.attachId()).done();
      case Message.Protect m -> new Writer(7, 24).number(m.attachId()).number(m.fromLsn()).done();
      case Message.LogBatch m ->
          new Writer(8, 40 + m.entries().length)
              .number(m.attachId())
              .number(m.firstLsn())
              .number(m.count())
              .number(m.releasedNext())
              .rest(m.entries())
              .done();
      case Message.Ack m ->
          new Writer(9, 40)
              .number(m.attachId())
              .number(m.storedNext())
              .number(m.replayedNext())
              .number(m.beat())
              .done();
      case Message.Beat m ->
          new Writer(10, 40)
              .number(m.attachId())
              .number(m.beat())
              .number(m.releasedNext())
              .number(m.durableNext())
              .done();
      case Message.Resign m -> new Writer(11, 128).number(m.attachId()).text(m.why()).done();
      case Message.Bye m -> new Writer(12, 128).number(m.attachId()).text(m.why()).done();
      case Message.SwitchOver m ->
          new Writer(13, 24).number(m.attachId()).number(m.finalNext()).done();
      case Message.TookOver m ->
          new Writer(14, 32)
              .number(m.attachId())
              .number(m.epoch().number())
              .number(m.finalNext())
              .done();
    };
  }

  /**
   * The message that the bytes are.
   *
   * @throws BadMessage if they are none
   */
  public static Message decode(byte[] bytes) throws BadMessage {
    Reader in = new Reader(bytes);
    int type = in.octet();
    Message message =
        switch (type) {
          case 1 ->
              new Message.Hello(
                  in.count(),
                  in.text(),
                  in.text(),
                  in.replica(),
                  in.number(),
                  in.number(),
                  in.text());
          case 2 ->
              new Message.Welcome(
                  in.text(),
                  in.replica(),
                  new Epoch(in.number()),
                  in.number(),
                  in.number() == 1,
                  in.text(),
                  in.bytes());
          case 3 -> new Message.Refused(in.text());
          case 4 -> new Message.Pages(in.number(), in.rest());
          case 5 -> new Message.Final(in.number(), in.number(), in.number(), in.fixed(), in.rest());
          case 6 -> new Message.Attached(in.number());
          case 7 -> new Message.Protect(in.number(), in.number());
          case 8 ->
              new Message.LogBatch(in.number(), in.number(), in.positive(), in.number(), in.rest());
          case 9 -> new Message.Ack(in.number(), in.number(), in.number(), in.number());
          case 10 -> new Message.Beat(in.number(), in.number(), in.number(), in.number());
          case 11 -> new Message.Resign(in.number(), in.text());
          case 12 -> new Message.Bye(in.number(), in.text());
          case 13 -> new Message.SwitchOver(in.number(), in.number());
          case 14 -> new Message.TookOver(in.number(), new Epoch(in.number()), in.number());
          default -> throw new BadMessage("message type %d is unknown".formatted(type));
        };
    in.end();
    return message;
  }

  private static final class Writer {
    private byte[] bytes;
    private int size;

    Writer(int type, int expected) {
      bytes = new byte[expected];
      bytes[size++] = (byte) type;
    }

    Writer number(long value) {
      if (value < 0) {
        throw new IllegalArgumentException("a message cannot carry the number " + value);
      }
      ensure(9);
      long v = value;
      while (v >= 0x80) {
        bytes[size++] = (byte) (v | 0x80);
        v >>>= 7;
      }
      bytes[size++] = (byte) v;
      return this;
    }

    Writer fixed(long value) {
      ensure(8);
      for (int i = 0; i < 8; i++) {
        bytes[size++] = (byte) (value >>> 8 * i);
      }
      return this;
    }

    Writer replica(ReplicaId id) {
      return fixed(Long.reverseBytes(id.value().getMostSignificantBits()))
          .fixed(Long.reverseBytes(id.value().getLeastSignificantBits()));
    }

    Writer text(String s) {
      byte[] utf8 = s.getBytes(StandardCharsets.UTF_8);
      byte[] cut = utf8.length > TEXT_MAX ? Arrays.copyOf(utf8, TEXT_MAX) : utf8;
      return number(cut.length).rest(cut);
    }

    Writer rest(byte[] more) {
      ensure(more.length);
      System.arraycopy(more, 0, bytes, size, more.length);
      size += more.length;
      return this;
    }

    byte[] done() {
      return size == bytes.length ? bytes : Arrays.copyOf(bytes, size);
    }

    private void ensure(int more) {
      if (bytes.length - size < more) {
        bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, size + more));
      }
    }
  }

  private static final class Reader {
    private final byte[] bytes;
    private int at;

    Reader(byte[] bytes) {
      this.bytes = bytes;
    }

    int octet() throws BadMessage {
      if (at >= bytes.length) {
        throw new BadMessage("a message ends too early");
      }
      return bytes[at++] & 0xff;
    }

    long number() throws BadMessage {
      long value = 0;
      for (int shift = 0; shift < 63; shift += 7) {
        int b = octet();
        value |= (long) (b & 0x7f) << shift;
        if (b < 0x80) {
          return value;
        }
      }
      throw new BadMessage("a number in a message is longer than 9 bytes");
    }

    int count() throws BadMessage {
      long value = number();
      if (value > Integer.MAX_VALUE) {
        throw new BadMessage("a count of %d in a message is too large".formatted(value));
      }
      return (int) value;
    }

    int positive() throws BadMessage {
      int value = count();
      if (value == 0) {
        throw new BadMessage("a log batch without an entry");
      }
      return value;
    }

    long fixed() throws BadMessage {
      long value = 0;
      for (int i = 0; i < 8; i++) {
        value |= (long) octet() << 8 * i;
      }
      return value;
    }

    ReplicaId replica() throws BadMessage {
      long most = Long.reverseBytes(fixed());
      return new ReplicaId(new UUID(most, Long.reverseBytes(fixed())));
    }

    String text() throws BadMessage {
      int length = count();
      if (length > TEXT_MAX) {
        throw new BadMessage("a text of %d bytes in a message is too long".formatted(length));
      }
      return new String(take(length), StandardCharsets.UTF_8);
    }

    byte[] bytes() throws BadMessage {
      return take(count());
    }

    byte[] rest() {
      byte[] rest = Arrays.copyOfRange(bytes, at, bytes.length);
      at = bytes.length;
      return rest;
    }

    void end() throws BadMessage {
      if (at != bytes.length) {
        throw new BadMessage("%d bytes follow a message".formatted(bytes.length - at));
      }
    }

    private byte[] take(int length) throws BadMessage {
      if (length > bytes.length - at) {
        throw new BadMessage("a message ends too early");
      }
      byte[] taken = Arrays.copyOfRange(bytes, at, at + length);
      at += length;
      return taken;
    }
  }
}
