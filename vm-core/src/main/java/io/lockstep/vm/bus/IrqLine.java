package io.lockstep.vm.bus;

/** A level-triggered interrupt wire. Setting the level it already has does nothing. */
@FunctionalInterface
public interface IrqLine {
  /** Drives the wire. */
  void set(boolean level);
}
