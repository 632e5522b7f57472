package io.lockstep.host.net.gateway;

/** Which addresses guests may reach through the gateway of their own accord. */
public enum Outbound {
  /** None: only forwards work. */
  NONE,
  /** This host's loopback services, as 10.0.2.2. */
  LOOPBACK,
  /** Everything that this host reaches. */
  ANY
}
