package io.lockstep.host.net;

/**
 * What the switch says to a port that names a VM. The numbers are on the wire (docs/network.md).
 */
public enum ClaimAnswer {
  /** The port waits, with no traffic, until it claims an epoch. */
  WAITING(0),
  /** The port owns its MAC address. */
  OWNER(1),
  /** A newer epoch of this VM has been seen: the port must stop. */
  STALE_EPOCH(2),
  /** Another live port has this VM's address in the same epoch. */
  EPOCH_IN_USE(3),
  /** Another VM has this address. */
  MAC_IN_USE(4),
  /** The message makes no sense, or comes at the wrong time. */
  MALFORMED(5),
  /** The switch speaks another version. */
  VERSION(6),
  /** The switch has no room for another VM. */
  FULL(7);

  private final int code;

  ClaimAnswer(int code) {
    this.code = code;
  }

  public int code() {
    return code;
  }

  public boolean isRefusal() {
    return this != WAITING && this != OWNER;
  }

  /** The answer with a number, or {@link #MALFORMED} if there is none. */
  static ClaimAnswer of(int code) {
    for (ClaimAnswer answer : values()) {
      if (answer.code == code) {
        return answer;
      }
    }
    return MALFORMED;
  }
}
