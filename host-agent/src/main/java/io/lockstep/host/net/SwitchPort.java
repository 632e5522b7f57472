package io.lockstep.host.net;

import io.lockstep.host.net.wire.Frame;

/** What the switch needs of a port. All calls are made on the switch's thread. */
public interface SwitchPort {
  /** A name for status and log, unique within the switch. */
  String name();

  /**
   * Takes a frame that leaves the switch here; copies what it keeps. A port whose queue is full
   * drops it and counts that; it never blocks.
   */
  void send(Frame frame);

  /** True if so much is queued that a sender who can wait should. */
  boolean isCongested();

  /** The switch cuts the port off. */
  void cutOff(String reason);

  PortCounters counters();
}
