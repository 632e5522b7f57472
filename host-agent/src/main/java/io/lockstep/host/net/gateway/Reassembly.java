package io.lockstep.host.net.gateway;

import io.lockstep.host.net.wire.Bytes;
import io.lockstep.host.net.wire.Ipv4;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/** Puts fragments of IPv4 packets together (RFC 791 §3.2); few at a time, and not for long. */
final class Reassembly {
  private static final int CONTEXTS_MAX = 16;
  private static final long TIME_MAX = 5_000_000_000L;
  private static final int PAYLOAD_MAX = 65_535 - Ipv4.HEADER;

  private record Key(int source, int destination, int protocol, int id) {}

  private static final class Context {
    final long started;
    final BitSet blocks = new BitSet();
    byte[] payload = new byte[4096];
    int total = -1;

    Context(long started) {
      this.started = started;
    }
  }

  private final Map<Key, Context> contexts = new LinkedHashMap<>();

  /**
   * Takes in a fragment whose header has been checked.
   *
   * @return a packet with a plain 20-byte header when it is complete, otherwise null
   */
  byte[] add(byte[] b, int at, int headerLength, int totalLength, long now) {
    expire(now);
    int field = Bytes.u16(b, at + 6);
    boolean more = (field & Ipv4.MORE_FRAGMENTS) != 0;
    int offset = (field & 0x1fff) * 8;
    int length = totalLength - headerLength;
    if (length == 0 || more && length % 8 != 0 || offset + length > PAYLOAD_MAX) {
      return null;
    }
    Key key =
        new Key(
            Bytes.i32(b, at + 12),
            Bytes.i32(b, at + 16),
            Bytes.u8(b, at + 9),
            Bytes.u16(b, at + 4));
    Context context = contexts.get(key);
    if (context == null) {
      makeRoom();
      context = new Context(now);
      contexts.put(key, context);
    }
    if (!more) {
      context.total = offset + length;
    }
    if (offset + length > context.payload.length) {
      int size = Math.max(offset + length, context.payload.length * 2);
      context.payload = Arrays.copyOf(context.payload, size);
    }
    System.arraycopy(b, at + headerLength, context.payload, offset, length);
    context.blocks.set(offset / 8, (offset + length + 7) / 8);
    if (context.total < 0 || context.blocks.nextClearBit(0) < (context.total + 7) / 8) {
      return null;
    }
    contexts.remove(key);
    byte[] packet = new byte[Ipv4.HEADER + context.total];
    Ipv4.writeHeader(
        packet, 0, key.protocol, key.source, key.destination, packet.length, key.id, 0);
    System.arraycopy(context.payload, 0, packet, Ipv4.HEADER, context.total);
    return packet;
  }

  private void makeRoom() {
    if (contexts.size() >= CONTEXTS_MAX) {
      Iterator<Key> oldest = contexts.keySet().iterator();
      oldest.next();
      oldest.remove();
    }
  }

  private void expire(long now) {
    contexts.values().removeIf(context -> now - context.started > TIME_MAX);
  }
}
