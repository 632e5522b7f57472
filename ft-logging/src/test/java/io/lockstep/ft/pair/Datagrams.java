package io.lockstep.ft.pair;

import io.lockstep.vm.guest.SmallGuest;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/** UDP datagrams in Ethernet frames, between a test and the small guest's service. */
final class Datagrams {
  private static final int ETHERNET = 14;
  private static final int IP = 20;
  private static final int UDP = 8;
  private static final int HEADERS = ETHERNET + IP + UDP;
  private static final int OWN_PORT = 40_000;

  private Datagrams() {}

  static byte[] request(String text) {
    byte[] data = text.getBytes(StandardCharsets.US_ASCII);
    ByteBuffer f = ByteBuffer.allocate(HEADERS + data.length);
    f.put(new byte[] {0x52, 0x54, 0, 0x12, 0x34, 0x56})
        .put(new byte[] {2, 0, 0, 0, 0, 2})
        .putShort((short) 0x0800);
    f.putShort((short) 0x4500)
        .putShort((short) (IP + UDP + data.length))
        .putInt(0)
        .put((byte) 64)
        .put((byte) 17);
    f.putShort((short) 0).putInt(0x0a000202).putInt(0x0a00020f);
    int sum = 0;
    for (int at = ETHERNET; at < ETHERNET + IP; at += 2) {
      sum += f.getShort(at) & 0xffff;
    }
    f.putShort(ETHERNET + 10, (short) ~((sum & 0xffff) + (sum >>> 16)));
    // A UDP checksum of 0 stands for none.
    f.putShort((short) OWN_PORT)
        .putShort((short) SmallGuest.PORT)
        .putShort((short) (UDP + data.length))
        .putShort((short) 0);
    return f.put(data).array();
  }

  static Optional<String> reply(byte[] frame) {
    boolean udp =
        frame.length > HEADERS && frame[12] == 8 && frame[13] == 0 && frame[ETHERNET + 9] == 17;
    if (!udp) {
      return Optional.empty();
    }
    int length = ByteBuffer.wrap(frame).getShort(ETHERNET + IP + 4) & 0xffff;
    return Optional.of(new String(frame, HEADERS, length - UDP, StandardCharsets.US_ASCII));
  }
}
