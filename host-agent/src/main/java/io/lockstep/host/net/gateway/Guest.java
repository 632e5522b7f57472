package io.lockstep.host.net.gateway;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;

/** An address of the guests' network and who has it. */
final class Guest {
  private static final int PENDING_MAX = 16;

  final int address;
  final Map<Long, TcpFlow> flows = new HashMap<>();

  /** Where it is, or 0. */
  long mac;

  long lastAsked = Long.MIN_VALUE / 2;

  /** Since when nobody is where it was, or {@link Long#MAX_VALUE}. */
  long goneSince = Long.MAX_VALUE;

  /** Whole frames that wait for the address to be known. */
  final ArrayDeque<byte[]> pending = new ArrayDeque<>();

  Guest(int address) {
    this.address = address;
  }

  /** True if something is to go there as soon as it is known where that is. */
  boolean isWaitedFor() {
    return !flows.isEmpty() || !pending.isEmpty();
  }

  void keepPending(byte[] frame) {
    if (pending.size() == PENDING_MAX) {
      pending.poll();
    }
    pending.add(frame);
  }

  static long flowKey(int remoteAddress, int remotePort, int guestPort) {
    return (long) remoteAddress << 32 | (long) remotePort << 16 | guestPort;
  }
}
