package io.lockstep.host.net.gateway;

import io.lockstep.host.net.wire.Bytes;
import io.lockstep.host.net.wire.Mac;
import java.util.HashMap;
import java.util.Map;

/**
 * Hands out addresses, to each MAC address always the same (RFC 2131, the part that guests need).
 */
final class Dhcp {
  private static final int COOKIE = 0x6382_5363;
  private static final int FIXED = 240;
  private static final int REPLY_LENGTH = 300;
  private static final int LEASE_SECONDS = 86_400;

  private static final int OPTION_PAD = 0;
  private static final int OPTION_MASK = 1;
  private static final int OPTION_ROUTER = 3;
  private static final int OPTION_DNS = 6;
  private static final int OPTION_REQUESTED = 50;
  private static final int OPTION_LEASE = 51;
  private static final int OPTION_TYPE = 53;
  private static final int OPTION_SERVER = 54;
  private static final int OPTION_END = 255;

  private static final int DISCOVER = 1;
  private static final int OFFER = 2;
  private static final int REQUEST = 3;
  private static final int ACK = 5;
  private static final int NAK = 6;
  private static final int INFORM = 8;

  private final Map<Long, Integer> addressOf = new HashMap<>();
  private final Map<Integer, Long> holderOf = new HashMap<>();

  /** An answer to be sent: its bytes, and whether to everyone. */
  record Reply(byte[] message, boolean broadcast, int address) {}

  /** Who was given an address, or 0. */
  long holder(int address) {
    return holderOf.getOrDefault(address, 0L);
  }

  /** Answers a message from a client's port, or returns null. */
  Reply answer(byte[] b, int at, int length) {
    if (length < FIXED
        || b[at] != 1
        || b[at + 1] != 1
        || b[at + 2] != 6
        || Bytes.i32(b, at + 236) != COOKIE) {
      return null;
    }
    int[] options = options(b, at + FIXED, at + length);
    long mac = Bytes.u48(b, at + 28);
    int type = options[0];
    int requested = options[1];
    int server = options[2];
    int current = Bytes.i32(b, at + 12);
    if (!Mac.isUsableSource(mac) || server != 0 && server != UserGateway.GATEWAY) {
      return null;
    }
    return switch (type) {
      case DISCOVER -> lease(b, at, OFFER, give(mac, requested));
      case REQUEST -> {
        int wanted = requested != 0 ? requested : current;
        int given = give(mac, wanted);
        yield wanted == 0 || wanted == given ? lease(b, at, ACK, given) : lease(b, at, NAK, 0);
      }
      case INFORM -> lease(b, at, ACK, 0);
      default -> null;
    };
  }

  /**
   * The address of a MAC: what it had, else what it asks for if that is free, else the first free
   * one; 0 if none is.
   */
  private int give(long mac, int wanted) {
    Integer known = addressOf.get(mac);
    if (known != null) {
      return known;
    }
    int address = isFree(wanted) ? wanted : 0;
    for (int a = UserGateway.FIRST_GUEST; address == 0 && UserGateway.isGuest(a); a++) {
      address = isFree(a) ? a : 0;
    }
    if (address != 0) {
      addressOf.put(mac, address);
      holderOf.put(address, mac);
    }
    return address;
  }

  private boolean isFree(int address) {
    return address - UserGateway.FIRST_GUEST >= 0
        && UserGateway.isGuest(address)
        && !holderOf.containsKey(address);
  }

  private static Reply lease(byte[] request, int at, int type, int address) {
    boolean inform = type == ACK && address == 0;
    if (address == 0 && type != NAK && !inform) {
      return null; // no address is left
    }
    byte[] r = new byte[REPLY_LENGTH];
    r[0] = 2;
    r[1] = 1;
    r[2] = 6;
    System.arraycopy(request, at + 4, r, 4, 4); // transaction
    System.arraycopy(request, at + 10, r, 10, 2); // flags
    if (inform) {
      System.arraycopy(request, at + 12, r, 12, 4);
    }
    Bytes.put32(r, 16, address);
    Bytes.put32(r, 20, UserGateway.GATEWAY);
    System.arraycopy(request, at + 28, r, 28, 16);
    Bytes.put32(r, 236, COOKIE);
    int o = FIXED;
    r[o] = OPTION_TYPE;
    r[o + 1] = 1;
    r[o + 2] = (byte) type;
    o = word(r, o + 3, OPTION_SERVER, UserGateway.GATEWAY);
    if (type != NAK) {
      o = word(r, o, OPTION_MASK, UserGateway.NETMASK);
      o = word(r, o, OPTION_ROUTER, UserGateway.GATEWAY);
      o = word(r, o, OPTION_DNS, UserGateway.DNS);
      if (!inform) {
        o = word(r, o, OPTION_LEASE, LEASE_SECONDS);
      }
    }
    r[o] = (byte) OPTION_END;
    boolean broadcast = (Bytes.u16(request, at + 10) & 0x8000) != 0 || type == NAK;
    int target = inform || Bytes.i32(request, at + 12) != 0 ? Bytes.i32(request, at + 12) : 0;
    return new Reply(r, broadcast, target);
  }

  private static int word(byte[] r, int at, int option, int value) {
    r[at] = (byte) option;
    r[at + 1] = 4;
    Bytes.put32(r, at + 2, value);
    return at + 6;
  }

  /** Message type, requested address and server address; 0 for what is missing. */
  private static int[] options(byte[] b, int from, int end) {
    int[] found = new int[3];
    int at = from;
    while (at < end && Bytes.u8(b, at) != OPTION_END) {
      int kind = Bytes.u8(b, at);
      if (kind == OPTION_PAD) {
        at++;
        continue;
      }
      if (at + 1 >= end || at + 2 + Bytes.u8(b, at + 1) > end) {
        break;
      }
      int size = Bytes.u8(b, at + 1);
      if (kind == OPTION_TYPE && size == 1) {
        found[0] = b[at + 2];
      } else if (kind == OPTION_REQUESTED && size == 4) {
        found[1] = Bytes.i32(b, at + 2);
      } else if (kind == OPTION_SERVER && size == 4) {
        found[2] = Bytes.i32(b, at + 2);
      }
      at += 2 + size;
    }
    return found;
  }
}
