package io.lockstep.vm.guest;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Ethernet frames between a test and the small guest. */
final class Frames {
  static final int GUEST_IP = 0x0a00020f;
  static final int OWN_IP = 0x0a000202;
  static final byte[] GUEST_MAC = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
  static final byte[] OWN_MAC = {2, 0, 0, 0, 0, 2};
  static final int ETHERNET = 14;
  static final int IP = 20;
  static final int ICMP_PROTOCOL = 1;
  static final int TCP_PROTOCOL = 6;
  static final int UDP_PROTOCOL = 17;
  static final int OWN_PORT = 40_000;

  private Frames() {}

  static byte[] ethernet(int type, byte[] payload) {
    ByteBuffer frame = ByteBuffer.allocate(ETHERNET + payload.length);
    return frame.put(GUEST_MAC).put(OWN_MAC).putShort((short) type).put(payload).array();
  }

  static byte[] ip(int protocol, byte[] payload) {
    ByteBuffer ip = ByteBuffer.allocate(IP + payload.length);
    ip.putShort((short) 0x4500).putShort((short) (IP + payload.length)).putInt(0);
    ip.put((byte) 64).put((byte) protocol).putShort((short) 0).putInt(OWN_IP).putInt(GUEST_IP);
    ip.putShort(10, (short) ~sum(0, Arrays.copyOf(ip.array(), IP))).put(payload);
    return ethernet(0x0800, ip.array());
  }

  static byte[] checked(byte[] payload, int protocol, int checksumAt) {
    ByteBuffer buffer = ByteBuffer.wrap(payload).putShort(checksumAt, (short) 0);
    byte[] pseudo =
        ByteBuffer.allocate(12)
            .putInt(OWN_IP)
            .putInt(GUEST_IP)
            .putShort((short) protocol)
            .putShort((short) payload.length)
            .array();
    buffer.putShort(checksumAt, (short) ~sum(sum(0, pseudo), payload));
    return payload;
  }

  static int sum(int start, byte[] bytes) {
    int sum = start;
    for (int i = 0; i < bytes.length; i++) {
      sum += (bytes[i] & 0xff) << (i % 2 == 0 ? 8 : 0);
    }
    while (sum >>> 16 != 0) {
      sum = (sum & 0xffff) + (sum >>> 16);
    }
    return sum;
  }

  static int type(byte[] frame) {
    return ByteBuffer.wrap(frame).getShort(12) & 0xffff;
  }

  static boolean isIp(byte[] frame, int protocol) {
    return type(frame) == 0x0800 && frame[ETHERNET + 9] == protocol;
  }

  static byte[] payload(byte[] frame) {
    int length = ByteBuffer.wrap(frame).getShort(ETHERNET + 2);
    return Arrays.copyOfRange(frame, ETHERNET + IP, ETHERNET + length);
  }

  /** A datagram to the service. */
  static byte[] udp(String text) {
    byte[] data = text.getBytes(StandardCharsets.US_ASCII);
    ByteBuffer udp = ByteBuffer.allocate(8 + data.length);
    udp.putShort((short) OWN_PORT).putShort((short) SmallGuest.PORT);
    udp.putShort((short) udp.capacity()).putShort((short) 0).put(data);
    return ip(UDP_PROTOCOL, checked(udp.array(), UDP_PROTOCOL, 6));
  }

  static String udpText(byte[] frame) {
    byte[] reply = payload(frame);
    return new String(reply, 8, reply.length - 8, StandardCharsets.US_ASCII);
  }
}
