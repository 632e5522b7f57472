package io.lockstep.host.net;

import io.lockstep.host.net.wire.Bytes;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.UUID;

/**
 * What a port and the switch say to each other besides frames. On the stream, everything starts
 * with a big-endian length word; its top bit is set for a control message and clear for a frame. A
 * guest can't forge one: what it sends becomes the inside of a frame.
 *
 * <pre>
 *  0               4      5         6      7        8           12
 *  +---------------+------+---------+------+--------+-----------+------------------
 *  | 1<<31 | length| type | version | code |   0    |  'LKSW'   |  by type ...
 *  +---------------+------+---------+------+--------+-----------+------------------
 *  HELLO   code: role      12 vm id (16)  28 epoch (8)  36 instance (8)  44 mac (6)  50 abilities (2)
 *  CLAIM   code: 0         12 epoch (8)   20 mac (6)    26 abilities (2)
 *  ANSWER  code: answer    12 newest epoch of this VM (8)
 *  STATUS? code: 0
 *  STATUS  code: 0         12 JSON text
 * </pre>
 *
 * Offsets include the length word; the length doesn't.
 */
sealed interface ControlMessage {
  int CONTROL_BIT = 0x8000_0000;

  /** Longest message that the switch reads. */
  int REQUEST_MAX = 256;

  /** Longest message that a client reads. */
  int REPLY_MAX = 1 << 20;

  int VERSION = 1;
  int MAGIC = 0x4c4b_5357;
  int HEADER = 8;

  /** A port names itself; the first message on its connection. */
  record Hello(boolean primary, UUID vm, long epoch, long instance, long mac, int abilities)
      implements ControlMessage {}

  /** A waiting port becomes the owner of an address, or an owner changes its abilities. */
  record Claim(long epoch, long mac, int abilities) implements ControlMessage {}

  /** The switch's answer to both. */
  record Answer(ClaimAnswer answer, long newestEpoch) implements ControlMessage {}

  /** Asks for the switch's state; instead of a hello. */
  record StatusRequest() implements ControlMessage {}

  /** The switch's state as JSON. */
  record Status(String json) implements ControlMessage {}

  /** A hello of another version than ours; nothing else of it is understood. */
  record OtherVersion(int version) implements ControlMessage {}

  private static int type(ControlMessage message) {
    return switch (message) {
      case Hello h -> 1;
      case Claim c -> 2;
      case Answer a -> 3;
      case StatusRequest r -> 4;
      case Status s -> 5;
      case OtherVersion v -> 0;
    };
  }

  /** The message with its length word. */
  static byte[] encode(ControlMessage message) {
    byte[] b = new byte[4 + HEADER + 44];
    int end = 4 + HEADER;
    switch (message) {
      case Hello h -> {
        b[6] = (byte) (h.primary ? 1 : 0);
        Bytes.put64(b, 12, h.vm.getMostSignificantBits());
        Bytes.put64(b, 20, h.vm.getLeastSignificantBits());
        Bytes.put64(b, 28, h.epoch);
        Bytes.put64(b, 36, h.instance);
        Bytes.put48(b, 44, h.mac);
        Bytes.put16(b, 50, h.abilities);
        end = 52;
      }
      case Claim c -> {
        Bytes.put64(b, 12, c.epoch);
        Bytes.put48(b, 20, c.mac);
        Bytes.put16(b, 26, c.abilities);
        end = 28;
      }
      case Answer a -> {
        b[6] = (byte) a.answer.code();
        Bytes.put64(b, 12, a.newestEpoch);
        end = 20;
      }
      case StatusRequest r -> {}
      case Status s -> {
        byte[] text = s.json.getBytes(StandardCharsets.UTF_8);
        b = Arrays.copyOf(b, end + text.length);
        System.arraycopy(text, 0, b, end, text.length);
        end = b.length;
      }
      case OtherVersion v -> throw new IllegalArgumentException("not sent");
    }
    Bytes.put32(b, 0, CONTROL_BIT | end - 4);
    b[4] = (byte) type(message);
    b[5] = VERSION;
    Bytes.put32(b, 8, MAGIC);
    return Arrays.copyOf(b, end);
  }

  /**
   * Reads a message.
   *
   * @param at where it starts, after the length word
   * @return empty if it makes no sense
   */
  static Optional<ControlMessage> decode(byte[] b, int at, int length) {
    if (length < HEADER || Bytes.i32(b, at + 4) != MAGIC) {
      return Optional.empty();
    }
    if (b[at + 1] != VERSION) {
      return Optional.of(new OtherVersion(b[at + 1] & 0xff));
    }
    int code = b[at + 2];
    return switch (b[at]) {
      case 1 ->
          length == 48 && (code == 0 || code == 1)
              ? Optional.of(
                  new Hello(
                      code == 1,
                      new UUID(Bytes.i64(b, at + 8), Bytes.i64(b, at + 16)),
                      Bytes.i64(b, at + 24),
                      Bytes.i64(b, at + 32),
                      Bytes.u48(b, at + 40),
                      Bytes.u16(b, at + 46)))
              : Optional.empty();
      case 2 ->
          length == 24
              ? Optional.of(
                  new Claim(Bytes.i64(b, at + 8), Bytes.u48(b, at + 16), Bytes.u16(b, at + 22)))
              : Optional.empty();
      case 3 ->
          length == 16
              ? Optional.of(new Answer(ClaimAnswer.of(code), Bytes.i64(b, at + 8)))
              : Optional.empty();
      case 4 -> Optional.of(new StatusRequest());
      case 5 ->
          Optional.of(
              new Status(new String(b, at + HEADER, length - HEADER, StandardCharsets.UTF_8)));
      default -> Optional.empty();
    };
  }
}
